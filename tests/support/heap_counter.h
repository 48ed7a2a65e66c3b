// Counts a test program's heap allocations; heap_counter.cpp must be linked into the program.
#pragma once

#include <cstdint>

namespace nestling::testing {

/// Calls of operator new so far, by all threads.
[[nodiscard]] std::uint64_t heap_allocations();

}  // namespace nestling::testing
