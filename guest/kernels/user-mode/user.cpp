// The functions that user mode runs, on integers in memory and on floating-point numbers. Only this
// file's code and data are mapped for it, so it calls nothing outside.
#include "guest/kernels/user-mode/user.h"

namespace nestling::guest {
namespace {

/// Whether n is known to be a multiple. Volatile: nothing may become a call of memset().
constinit volatile bool is_composite[kPrimesLimit]{};

}  // namespace

std::uint64_t count_primes(std::uint64_t limit) {
  std::uint64_t primes = 0;
  for (std::uint64_t n = 2; n < limit; ++n) {
    if (is_composite[n]) {
      continue;
    }
    ++primes;
    for (std::uint64_t multiple = n * n; multiple < limit; multiple += n) {
      is_composite[multiple] = true;
    }
  }
  return primes;
}

std::uint64_t sum_of_inverse_squares(std::uint64_t terms) {
  double sum = 0;
  for (std::uint64_t n = terms; n != 0; --n) {
    const auto number = static_cast<double>(n);
    sum += 1 / (number * number);
  }
  return static_cast<std::uint64_t>(sum * 1e9);
}

}  // namespace nestling::guest
