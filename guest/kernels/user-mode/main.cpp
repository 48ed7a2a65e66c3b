// Proves that user mode works, ring 3 or EL0: computes there, with floating point, returns by a
// system call with the right results; status 0.
#include "guest/kernels/user-mode/user.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/user_mode.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kPrimes = 9592;                   // below 100,000
constexpr std::uint64_t kInverseSquares = 1'644'933'066;  // a million terms, π²/6 − 10⁻⁶

}  // namespace

int kernel_main(const BootInfo& info) {
  TablePages pages(info);
  PageTables tables(pages);
  open_user_mode(tables);

  const std::uint64_t primes = run_in_user_mode(count_primes, kPrimesLimit);
  print("{} primes below {}\n", primes, kPrimesLimit);
  expect(primes == kPrimes, "{} primes", kPrimes);

  const std::uint64_t sum = run_in_user_mode(sum_of_inverse_squares, 1'000'000);
  print("{} billionths are the first million inverse squares\n", sum);
  expect(sum == kInverseSquares, "{} billionths", kInverseSquares);
  return 0;
}

}  // namespace nestling::guest
