// Access: sets of rights.
#include "addrspace/access.h"

#include <array>
#include <cstddef>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr std::array kSingles = {Access::read(), Access::write(), Access::execute()};

TEST(Access, HasThreeRightsThatDiffer) {
  for (std::size_t i = 0; i < kSingles.size(); ++i) {
    for (std::size_t j = 0; j < kSingles.size(); ++j) {
      EXPECT_EQ(kSingles.at(i) == kSingles.at(j), i == j);
      EXPECT_EQ((kSingles.at(i) & kSingles.at(j)).is_empty(), i != j);
    }
  }
}

TEST(Access, AllowsExactlyWhatItHolds) {
  EXPECT_TRUE(Access::read_write().allows(Access::read()));
  EXPECT_TRUE(Access::read_write().allows(Access::write()));
  EXPECT_FALSE(Access::read_write().allows(Access::execute()));
  EXPECT_FALSE(Access::read().allows(Access::read_write()));
  EXPECT_TRUE(Access::all().allows(Access::all()));
  EXPECT_TRUE(Access::none().allows(Access::none()));
  EXPECT_FALSE(Access::none().allows(Access::read()));
}

TEST(Access, JoinsAndIntersects) {
  EXPECT_EQ(Access::read() | Access::write() | Access::execute(), Access::all());
  EXPECT_EQ(Access::all() & Access::read_write(), Access::read_write());
  EXPECT_EQ(Access::read() & Access::write(), Access::none());
  EXPECT_TRUE(Access().is_empty());
}

}  // namespace
}  // namespace nestling
