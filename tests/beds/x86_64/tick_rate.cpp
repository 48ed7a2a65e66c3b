// Prints how many kHz this processor's time stamp counter runs at; QEMU shows it to its guests as
// it is.
#include <x86intrin.h>

#include <cmath>
#include <cstdio>
#include <ctime>

namespace {

struct Reading {
  unsigned long long ticks = 0;
  double nanoseconds = 0;
};

double nanoseconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Both clocks at one moment: of many pairs the one taken with the least between.
Reading read_both() {
  constexpr int kAttempts = 100;
  Reading best;
  unsigned long long least = ~0ULL;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const unsigned long long before = __rdtsc();
    const double nanoseconds = nanoseconds_now();
    const unsigned long long between = __rdtsc() - before;
    if (between < least) {
      least = between;
      best = {.ticks = before + between / 2, .nanoseconds = nanoseconds};
    }
  }
  return best;
}

}  // namespace

int main() {
  const Reading start = read_both();
  const timespec wait{.tv_sec = 0, .tv_nsec = 20'000'000};
  nanosleep(&wait, nullptr);
  const Reading end = read_both();
  constexpr double kNanosecondsPerMillisecond = 1e6;
  const double milliseconds = (end.nanoseconds - start.nanoseconds) / kNanosecondsPerMillisecond;
  std::printf("%ld\n", std::lround(static_cast<double>(end.ticks - start.ticks) / milliseconds));
}
