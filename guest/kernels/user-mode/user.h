// What runs in user mode: see user.cpp.
#pragma once

#include <cstdint>

namespace nestling::guest {

/// How many primes are below `limit`, which is at most kPrimesLimit.
std::uint64_t count_primes(std::uint64_t limit);
inline constexpr std::uint64_t kPrimesLimit = 100'000;

/// The sum of 1 / n² for n from `terms` down to 1, times 10^9, rounded down.
std::uint64_t sum_of_inverse_squares(std::uint64_t terms);

}  // namespace nestling::guest
