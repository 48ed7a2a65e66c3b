// The CPU's own counter of time, for kernels that measure something.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// Ticks since some moment in the past, read after everything before it has been done.
[[nodiscard]] std::uint64_t tick_count();

/// How many ticks are a second, or 0 where the CPU does not say (x86: the host knows).
[[nodiscard]] std::uint64_t ticks_per_second();

}  // namespace nestling::guest
