// The time-stamp counter (Intel SDM volume 3, "Time-Stamp Counter").
#include "guest/kit/tick_counter.h"

namespace nestling::guest {

std::uint64_t tick_count() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  // A fence on either side: what is measured must neither start before nor end behind the reading.
  asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
  return (std::uint64_t{high} << 32) | low;
}

std::uint64_t ticks_per_second() { return 0; }

}  // namespace nestling::guest
