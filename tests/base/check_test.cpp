// check(): passes silently, aborts with the message and the caller's place, works at compile time.
#include "base/check.h"

#include <csignal>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr int checked_half(int even) {
  check(even % 2 == 0, "odd number");
  return even / 2;
}
static_assert(checked_half(4) == 2);

TEST(Check, DoesNothingWhenTheConditionHolds) { EXPECT_EQ(checked_half(6), 3); }

TEST(CheckDeathTest, AbortsWithTheMessageAndTheCallersPlace) {
  EXPECT_DEATH((void)checked_half(7), "nestling: bug: odd number \\(.*check_test\\.cpp:[0-9]+\\)");
}

TEST(CheckDeathTest, EndsByTheAbortSignal) {
  EXPECT_EXIT(check(false, "no"), testing::KilledBySignal(SIGABRT), "nestling: bug: no");
}

}  // namespace
}  // namespace nestling
