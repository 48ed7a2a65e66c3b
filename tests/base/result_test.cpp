// Result: holds a value or an error, hands either on, and aborts when asked for what it lacks.
#include "base/result.h"

#include <cerrno>
#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace nestling {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) {
    return failure(make_error(ErrorKind::kUsage, "{:#x} is odd", number));
  }
  return number / 2;
}

Result<std::string> quarter_as_text(int number) {
  const auto first = half(number);
  if (!first) {
    return failure(first.error());
  }
  const auto second = half(*first);
  if (!second) {
    return failure(second.error());
  }
  return std::to_string(*second);
}

Result<void> refuse_odd(int number) {
  if (number % 2 != 0) {
    return failure(make_error(ErrorKind::kBadImage, "odd"));
  }
  return {};
}

struct Small {
  int code = 0;
};
Result<int, Small> small_failure() { return failure(Small{7}); }

static_assert(!std::convertible_to<Result<int>, int>);
static_assert(!std::convertible_to<Result<int>, bool>);
static_assert(std::is_nothrow_move_constructible_v<Result<std::string>>);

TEST(Result, HoldsTheValueOfASuccess) {
  const auto result = half(8);
  ASSERT_TRUE(result);
  EXPECT_TRUE(result.has_value());
  EXPECT_EQ(*result, 4);
  EXPECT_EQ(result.value(), 4);
}

TEST(Result, HoldsTheErrorOfAFailure) {
  const auto result = half(7);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(result.error().message, "0x7 is odd");
}

TEST(Result, HandsAnErrorOnToAResultOfAnotherType) {
  EXPECT_EQ(*quarter_as_text(12), "3");
  EXPECT_EQ(quarter_as_text(6).error().message, "0x3 is odd");
}

TEST(Result, MayHaveNoValueToHold) {
  EXPECT_TRUE(refuse_odd(2));
  EXPECT_EQ(refuse_odd(3).error().kind, ErrorKind::kBadImage);
}

TEST(Result, MayFailWithATypeOfItsOwn) { EXPECT_EQ(small_failure().error().code, 7); }

TEST(Result, MovesAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  EXPECT_EQ(**result, 5);
  const std::unique_ptr<int> taken = std::move(*result);
  EXPECT_EQ(*taken, 5);
}

TEST(Result, ReachesMembersOfTheValue) {
  Result<std::string> result = std::string("nest");
  result->append("ling");
  EXPECT_EQ(result->size(), 8U);
}

TEST(ResultDeathTest, AbortsWhenAskedForWhatItLacks) {
  EXPECT_DEATH((void)*half(7), "value\\(\\) of a failed Result");
  EXPECT_DEATH((void)half(8).error(), "error\\(\\) of a successful Result");
}

TEST(HostError, SaysWhatWasAttemptedAndWhyTheHostRefused) {
  const Error error = host_error("open of kernel.elf", ENOENT);
  EXPECT_EQ(error.kind, ErrorKind::kHostRefused);
  EXPECT_EQ(error.message, "open of kernel.elf: No such file or directory");
  EXPECT_EQ(host_error("call", 99999).message, "call: unknown error");
}

}  // namespace
}  // namespace nestling
