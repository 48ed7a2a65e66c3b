// Free extents: placement, joining, exhaustion, and a random run against a flat map of pages.
#include "addrspace/extent_map.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr std::uint64_t k2MiB = 2ULL << 20;

HostPhysRange pages(std::uint64_t first, std::uint64_t count) {
  return HostPhysRange::of(HostPhysAddr(first * kPageSize), count * kPageSize);
}

TEST(ExtentMap, PlacesAnExtentCongruentToAGuestAddress) {
  ExtentMap map(HostPhysRange::of(HostPhysAddr(0x1000), 16 * k2MiB));
  const auto extent = map.take(k2MiB, {.modulus = k2MiB, .remainder = 0x12345'7000});
  ASSERT_TRUE(extent.has_value());
  EXPECT_EQ(extent->start().value() % k2MiB, 0x12345'7000 % k2MiB);
  EXPECT_TRUE(map.is_taken(*extent));
}

TEST(ExtentMap, CutsFromTheBackWhenAsked) {
  ExtentMap map(pages(1, 14));
  EXPECT_EQ(map.take(kPageSize, {.end = Placement::End::kBack}), pages(14, 1));
  EXPECT_EQ(
      map.take(2 * kPageSize,
               {.modulus = 8 * kPageSize, .remainder = kPageSize, .end = Placement::End::kBack}),
      pages(9, 2));
}

TEST(ExtentMap, GivesNothingWhenNoExtentIsLongEnough) {
  ExtentMap map(pages(0, 8));
  ASSERT_EQ(map.take(4 * kPageSize, {}), pages(0, 4));
  EXPECT_FALSE(map.take(5 * kPageSize, {}).has_value());
  EXPECT_TRUE(map.take(4 * kPageSize, {}).has_value());
  EXPECT_EQ(map.free_bytes(), 0U);
}

TEST(ExtentMap, FindsTheOnlyExtentThatFitsAlthoughAlignmentWastesMostOfIt) {
  // Nine free extents of two pages, of which only the last has its first page where asked.
  ExtentMap map(pages(0, 64));
  ASSERT_EQ(map.take(64 * kPageSize, {}), pages(0, 64));
  for (std::uint64_t i = 0; i < 9; ++i) {
    map.give_back(pages(1 + 4 * i, 2));
  }
  map.give_back(pages(48, 2));
  EXPECT_EQ(map.take(2 * kPageSize, {.modulus = 16 * kPageSize}), pages(48, 2));
}

TEST(ExtentMap, JoinsWhatIsGivenBackWithBothNeighbours) {
  ExtentMap map(pages(0, 6));
  ASSERT_TRUE(map.take(6 * kPageSize, {}).has_value());
  map.give_back(pages(0, 2));
  map.give_back(pages(4, 2));
  EXPECT_FALSE(map.take(5 * kPageSize, {}).has_value());
  map.give_back(pages(2, 2));
  EXPECT_EQ(map.take(6 * kPageSize, {}), pages(0, 6));
}

TEST(ExtentMap, SaysThatFreeAndForeignBytesAreNotTaken) {
  ExtentMap map(pages(8, 8));
  ASSERT_EQ(map.take(4 * kPageSize, {}), pages(8, 4));
  EXPECT_TRUE(map.is_taken(pages(8, 4)));
  EXPECT_FALSE(map.is_taken(pages(8, 5)));
  EXPECT_FALSE(map.is_taken(pages(12, 1)));
  EXPECT_FALSE(map.is_taken(pages(7, 2)));
  EXPECT_FALSE(map.is_taken(HostPhysRange::of(HostPhysAddr(UINT64_MAX - 0xfff), kPageSize)));
}

TEST(ExtentMap, SurvivesPlacementsAtTheTopOfTheAddresses) {
  const std::uint64_t top = UINT64_MAX - 0x1fff;
  ExtentMap map(HostPhysRange::of(HostPhysAddr(top), 2 * kPageSize));
  EXPECT_FALSE(map.take(kPageSize, {.modulus = 1ULL << 63}).has_value());
  EXPECT_TRUE(map.take(2 * kPageSize, {}).has_value());
  EXPECT_FALSE(map.take(UINT64_MAX & ~0xfffULL, {}).has_value());
}

TEST(ExtentMapDeathTest, RefusesToTakeBackTheSameBytesTwice) {
  ExtentMap map(pages(0, 4));
  ASSERT_TRUE(map.take(4 * kPageSize, {}).has_value());
  map.give_back(pages(1, 1));
  EXPECT_DEATH(map.give_back(pages(0, 2)), "given back twice");
}

TEST(ExtentMap, AnswersLikeAFlatMapOfPagesUnderRandomUse) {
  constexpr std::uint64_t kPages = 256;
  std::mt19937 random(20251123);  // NOLINT(cert-msc51-cpp): repeatable on purpose
  ExtentMap map(pages(0, kPages));
  std::vector<bool> used(kPages);
  for (int step = 0; step < 20'000; ++step) {
    const std::uint64_t first = random() % kPages;
    const std::uint64_t count = 1 + random() % 12;
    if (random() % 2 == 0) {
      const std::uint64_t modulus = 1ULL << (random() % 5);
      const auto extent = map.take(count * kPageSize, {.modulus = modulus * kPageSize,
                                                       .remainder = (first % modulus) * kPageSize});
      bool possible = false;
      for (std::uint64_t at = first % modulus; at + count <= kPages; at += modulus) {
        bool free = true;
        for (std::uint64_t i = at; i < at + count; ++i) {
          free = free && !used.at(i);
        }
        possible = possible || free;
      }
      ASSERT_EQ(extent.has_value(), possible) << "step " << step;
      for (std::uint64_t i = 0; extent && i < count; ++i) {
        const std::uint64_t page = extent->start().value() / kPageSize + i;
        ASSERT_FALSE(used.at(page)) << "step " << step;
        used.at(page) = true;
      }
    } else {
      const std::uint64_t end = std::min(first + count, kPages);
      bool all_used = true;
      for (std::uint64_t i = first; i < end; ++i) {
        all_used = all_used && used.at(i);
      }
      ASSERT_EQ(map.is_taken(pages(first, end - first)), all_used) << "step " << step;
      if (all_used) {
        map.give_back(pages(first, end - first));
        std::fill(used.begin() + static_cast<std::ptrdiff_t>(first),
                  used.begin() + static_cast<std::ptrdiff_t>(end), false);
      }
    }
    const auto free = static_cast<std::uint64_t>(std::count(used.begin(), used.end(), false));
    ASSERT_EQ(map.free_bytes(), free * kPageSize);
  }
}

}  // namespace
}  // namespace nestling
