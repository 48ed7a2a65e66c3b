// Proves that a CPU halted with interrupts on is recognised as a hang when the machine has
// interrupt controllers and timers, but none of them is armed.
#include "guest/kit/console.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used, gnu::aligned(4)]] constexpr NeedsNote kNeeds{
    .flags = kNeedsIrqchip};

int kernel_main(const BootInfo& /*info*/) {
  print("halting with interrupts on\n");
  for (;;) {
    wait_for_interrupt();
  }
}

}  // namespace nestling::guest
