// The interrupts of an architecture's real-time clock.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// How many interrupts are waited for: a fraction of a second on x86_64, seconds on arm64.
// NOLINTNEXTLINE(bugprone-dynamic-static-initializers): a constant of another file.
extern const unsigned kClockInterrupts;

/// Whether the clock says that it interrupted.
enum class Cause : std::uint8_t { kClock, kNone };

using ClockHandler = void (*)(Cause cause);

/// From now on `on_interrupt` is called for each interrupt on the clock's line.
void start_clock_interrupts(ClockHandler on_interrupt);
void stop_clock_interrupts();

}  // namespace nestling::guest
