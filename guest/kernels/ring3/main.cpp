// Proves that ring 3 works: computes there at native speed, with SSE, returns by a system call with
// the right results; status 0.
#include "guest/kernels/ring3/user.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/ring3.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kPrimes = 9592;                   // below 100,000
constexpr std::uint64_t kInverseSquares = 1'644'933'066;  // a million terms, π²/6 − 10⁻⁶

using x86_64::run_in_ring3;

}  // namespace

int kernel_main(const BootInfo& info) {
  x86_64::TablePages pages(info);
  x86_64::PageTables tables(pages);
  x86_64::open_ring3(tables);

  const std::uint64_t primes = run_in_ring3(count_primes, kPrimesLimit);
  print("{} primes below {}\n", primes, kPrimesLimit);
  expect(primes == kPrimes, "{} primes", kPrimes);

  const std::uint64_t sum = run_in_ring3(sum_of_inverse_squares, 1'000'000);
  print("{} billionths are the first million inverse squares\n", sum);
  expect(sum == kInverseSquares, "{} billionths", kInverseSquares);
  return 0;
}

}  // namespace nestling::guest
