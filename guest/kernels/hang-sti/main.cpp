// Proves that a CPU halted with interrupts on is recognised as a hang when the machine has no
// interrupt controller: nothing can ever wake it.
#include "guest/kit/console.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  print("halting with interrupts on\n");
  for (;;) {
    wait_for_interrupt();
  }
}
