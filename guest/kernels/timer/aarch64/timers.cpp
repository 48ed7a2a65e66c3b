// The architected timers, virtual and physical, through the GIC.
#include "guest/kernels/timer/timers.h"

#include <cstdint>

#include "guest/kit/aarch64/interrupt_controllers.h"
#include "guest/kit/aarch64/interrupts.h"

namespace nestling::guest {
namespace {

using aarch64::Timer;

constinit TickHandler tick = nullptr;

std::uint32_t period() { return static_cast<std::uint32_t>(aarch64::timer::frequency() / 200); }

/// Started again, a timer lowers its interrupt line until the next tick.
void on_interrupt(aarch64::Frame& /*frame*/) {
  const aarch64::Intid intid = aarch64::gic::acknowledge();
  for (const Timer timer : {Timer::kVirtual, Timer::kPhysical}) {
    if (intid == aarch64::timer::intid(timer)) {
      aarch64::timer::start(timer, period());
      tick();
    }
  }
  if (intid != aarch64::kNoInterrupt) {
    aarch64::gic::end_of_interrupt(intid);
  }
}

template <Timer kTimer>
void start() {
  aarch64::gic::enable(aarch64::timer::intid(kTimer));
  aarch64::timer::start(kTimer, period());
}
template <Timer kTimer>
void stop() {
  aarch64::timer::stop(kTimer);
}

constexpr PeriodicTimer kTimers[] = {
    {"virtual timer", start<Timer::kVirtual>, stop<Timer::kVirtual>},
    {"physical timer", start<Timer::kPhysical>, stop<Timer::kPhysical>},
};

}  // namespace

void set_up_timers(TickHandler on_tick) {
  tick = on_tick;
  aarch64::set_interrupt_handler(on_interrupt);
  aarch64::gic::set_up();
}

std::span<const PeriodicTimer> timers() { return kTimers; }

}  // namespace nestling::guest
