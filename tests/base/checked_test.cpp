// Checked arithmetic, against the same sums in a wider type: all of 8 bits, the edges of 64.
#include "base/checked.h"

#include <cstdint>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

namespace nestling {
namespace {

/// `value` when it fits in 8 bits.
std::optional<std::uint8_t> narrow(int value) {
  if (value < 0 || value > 255) {
    return std::nullopt;
  }
  return static_cast<std::uint8_t>(value);
}

TEST(CheckedArithmetic, AgreesWithWiderArithmeticForEveryPairOfBytes) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const auto x = static_cast<std::uint8_t>(a);
      const auto y = static_cast<std::uint8_t>(b);
      ASSERT_EQ(checked_add(x, y), narrow(a + b)) << a << " + " << b;
      ASSERT_EQ(checked_sub(x, y), narrow(a - b)) << a << " - " << b;
      ASSERT_EQ(checked_mul(x, y), narrow(a * b)) << a << " * " << b;
    }
  }
}

TEST(CheckedArithmetic, GivesNothingBeyondTheEdgesOfSixtyFourBits) {
  constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(checked_add(kTop, 0), kTop);
  EXPECT_EQ(checked_add(kTop, 1), std::nullopt);
  EXPECT_EQ(checked_add(kTop - 1, 1), kTop);
  EXPECT_EQ(checked_sub<std::uint64_t>(0, 1), std::nullopt);
  EXPECT_EQ(checked_sub(kTop, kTop), 0U);
  EXPECT_EQ(checked_mul<std::uint64_t>(1ULL << 32, 1ULL << 32), std::nullopt);
  EXPECT_EQ(checked_mul<std::uint64_t>(1ULL << 32, (1ULL << 32) - 1), kTop - 0xffff'ffff);
}

TEST(CheckedArithmetic, WorksAtCompileTime) {
  static_assert(checked_add(1U, 2U) == 3U);
  static_assert(!checked_sub(1U, 2U));
}

}  // namespace
}  // namespace nestling
