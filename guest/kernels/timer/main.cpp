// Proves that timer interrupts arrive, again and again, while the CPU sleeps, from each timer that
// the architecture has; status 0.
#include "guest/kernels/timer/timers.h"
#include "guest/kit/console.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used, gnu::aligned(4)]] constexpr NeedsNote kNeeds{
    .flags = kNeedsIrqchip};

namespace {

constexpr unsigned kTicks = 5;

/// Counted by interrupts.
constinit volatile unsigned ticks = 0;

/// The ticks that come while the timer is being stopped do not count: on a slow or busy host KVM
/// makes up for late ones.
void on_tick() {
  if (ticks < kTicks) {
    ticks = ticks + 1;
  }
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  set_up_timers(on_tick);
  for (const PeriodicTimer& timer : timers()) {
    ticks = 0;
    timer.start();
    while (ticks < kTicks) {
      wait_for_interrupt();
    }
    timer.stop();
    print("{} ticks of the {}\n", static_cast<unsigned>(ticks), timer.name);
  }
  return 0;
}

}  // namespace nestling::guest
