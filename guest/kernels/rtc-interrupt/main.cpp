// Proves that the real-time clock interrupts: sleeps through some of its interrupts, as fast as the
// architecture's clock can; status 0.
#include "guest/kernels/rtc-interrupt/clock.h"
#include "guest/kit/expect.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used, gnu::aligned(4)]] constexpr NeedsNote kNeeds{
    .flags = kNeedsIrqchip};

namespace {

constinit volatile unsigned interrupts = 0;
constinit volatile unsigned without_cause = 0;

void on_interrupt(Cause cause) {
  if (cause == Cause::kClock) {
    interrupts = interrupts + 1;
  } else {
    without_cause = without_cause + 1;
  }
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  start_clock_interrupts(on_interrupt);
  while (interrupts < kClockInterrupts) {
    wait_for_interrupt();
  }
  stop_clock_interrupts();
  print("{} interrupts of the clock\n", static_cast<unsigned>(interrupts));
  expect(without_cause == 0, "a cause for each interrupt");
  return 0;
}

}  // namespace nestling::guest
