// Proves that a CPU halted with interrupts off is recognised as a hang.
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  print("halting with interrupts off\n");
  halt_forever();
}
