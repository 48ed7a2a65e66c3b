// The virtual counter of the architected timers.
#include "guest/kit/tick_counter.h"

#include "guest/kit/aarch64/control.h"

namespace nestling::guest {

// The barrier keeps the counter from being read before what was to be measured has begun.
std::uint64_t tick_count() {
  constexpr aarch64::SystemRegister kVirtualCount{3, 3, 14, 0, 2};
  asm volatile("isb" : : : "memory");
  return aarch64::read_register<kVirtualCount>();
}

std::uint64_t ticks_per_second() { return aarch64::read_register<aarch64::kCounterFrequency>(); }

}  // namespace nestling::guest
