// Ranges: every relation two intervals can have, at the bottom and at the top of a space.
#include "addrspace/range.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

/// The bytes of a range, one by one: what every answer is compared with.
std::set<std::uint64_t> bytes_of(const GuestPhysRange& range) {
  std::set<std::uint64_t> bytes;
  for (std::uint64_t i = 0; i < range.size(); ++i) {
    bytes.insert(range.start().value() + i);
  }
  return bytes;
}

/// Every range, empty ones included, inside the eight addresses from `base`.
std::vector<GuestPhysRange> ranges_in_window(std::uint64_t base) {
  std::vector<GuestPhysRange> ranges;
  for (std::uint64_t first = 0; first < 8; ++first) {
    for (std::uint64_t size = 0; first + size <= 8; ++size) {
      ranges.push_back(GuestPhysRange::of(GuestPhysAddr(base + first), size));
    }
  }
  return ranges;
}

/// True when every byte of `inner` is in `outer`.
bool is_subset(const std::set<std::uint64_t>& inner, const std::set<std::uint64_t>& outer) {
  return std::includes(outer.begin(), outer.end(), inner.begin(), inner.end());
}

class RangeRelations : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RangeRelations, OverlapsWhereAByteIsShared) {
  for (const GuestPhysRange& a : ranges_in_window(GetParam())) {
    for (const GuestPhysRange& b : ranges_in_window(GetParam())) {
      std::set<std::uint64_t> shared;
      for (const std::uint64_t byte : bytes_of(a)) {
        if (bytes_of(b).contains(byte)) {
          shared.insert(byte);
        }
      }
      ASSERT_EQ(a.overlaps(b), !shared.empty());
      ASSERT_EQ(a.intersection(b).has_value(), !shared.empty());
      if (!shared.empty()) {
        ASSERT_EQ(bytes_of(*a.intersection(b)), shared);
      }
    }
  }
}

TEST_P(RangeRelations, ContainsEverySubset) {
  for (const GuestPhysRange& a : ranges_in_window(GetParam())) {
    for (const GuestPhysRange& b : ranges_in_window(GetParam())) {
      if (!b.is_empty()) {
        ASSERT_EQ(a.contains(b), is_subset(bytes_of(b), bytes_of(a)));
      }
    }
  }
}

TEST_P(RangeRelations, ContainsItsBytesAndNoOther) {
  for (const GuestPhysRange& range : ranges_in_window(GetParam())) {
    for (std::uint64_t i = 0; i < 8; ++i) {
      ASSERT_EQ(range.contains(GuestPhysAddr(GetParam() + i)),
                bytes_of(range).contains(GetParam() + i));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(AtTheBottomInTheMiddleAndAtTheTop, RangeRelations,
                         testing::Values(0, 0x7fff'ffff'ffff'fffc, kTop - 7));

TEST(Range, IsEmptyAtZeroByDefault) {
  EXPECT_TRUE(GuestPhysRange().is_empty());
  EXPECT_EQ(GuestPhysRange().start(), GuestPhysAddr(0));
  EXPECT_EQ(GuestPhysRange(), GuestPhysRange::of(GuestPhysAddr(0), 0));
}

TEST(Range, ReachesTheLastByteOfTheSpaceAndNotBeyond) {
  EXPECT_TRUE(GuestPhysRange::make(GuestPhysAddr(1), kTop));
  EXPECT_FALSE(GuestPhysRange::make(GuestPhysAddr(2), kTop));
  EXPECT_TRUE(GuestPhysRange::make(GuestPhysAddr(kTop), 1));
  EXPECT_FALSE(GuestPhysRange::make(GuestPhysAddr(kTop), 2));
  EXPECT_TRUE(GuestPhysRange::make(GuestPhysAddr(kTop), 0));
}

TEST(Range, CoversAWholeSpaceOfSixteenBits) {
  const std::optional<PortRange> all = PortRange::make(Port(0), 0x10000);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->last(), Port(0xffff));
  EXPECT_EQ(all->end(), std::nullopt);
  EXPECT_TRUE(all->contains(Port(0xffff)));
  EXPECT_FALSE(PortRange::make(Port(0), 0x10001));
  EXPECT_FALSE(PortRange::make(Port(1), 0x10000));
  EXPECT_FALSE(PortRange::make(Port(0), kTop));
}

TEST(Range, HasNoEndWhenItReachesTheTop) {
  EXPECT_EQ(GuestPhysRange::of(GuestPhysAddr(0x1000), 0x1000).end(), GuestPhysAddr(0x2000));
  EXPECT_EQ(GuestPhysRange::of(GuestPhysAddr(kTop - 1), 1).end(), GuestPhysAddr(kTop));
  EXPECT_EQ(GuestPhysRange::of(GuestPhysAddr(kTop), 1).end(), std::nullopt);
  EXPECT_EQ(GuestPhysRange::of(GuestPhysAddr(1), kTop).last(), GuestPhysAddr(kTop));
}

TEST(Range, ContainsAnEmptyRangeInsideAndRightBehind) {
  const auto range = GuestPhysRange::of(GuestPhysAddr(0x1000), 0x1000);
  EXPECT_TRUE(range.contains(GuestPhysRange::of(GuestPhysAddr(0x1000), 0)));
  EXPECT_TRUE(range.contains(GuestPhysRange::of(GuestPhysAddr(0x2000), 0)));
  EXPECT_FALSE(range.contains(GuestPhysRange::of(GuestPhysAddr(0xfff), 0)));
  EXPECT_FALSE(range.contains(GuestPhysRange::of(GuestPhysAddr(0x2001), 0)));
}

TEST(RangeDeathTest, AbortsWhenOurOwnRangeWraps) {
  EXPECT_DEATH((void)GuestPhysRange::of(GuestPhysAddr(kTop), 2), "range wraps");
  EXPECT_DEATH((void)GuestPhysRange().last(), "last\\(\\) of an empty range");
}

}  // namespace
}  // namespace nestling
