// The time-stamp counter, held against the monotonic clock.
#include "bench/lazy/tick_rate.h"

#include <x86intrin.h>

#include <chrono>
#include <thread>

namespace nestling::bench {

double ticks_per_second() {
  using std::chrono::steady_clock;
  const auto start = steady_clock::now();
  const auto first = __rdtsc();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const std::chrono::duration<double> elapsed = steady_clock::now() - start;
  return static_cast<double>(__rdtsc() - first) / elapsed.count();
}

}  // namespace nestling::bench
