// Finding room in RAM.
#include "boot/placement.h"

#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

constexpr std::uint64_t kTop = ~std::uint64_t{0};

GuestPhysRange range(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

const GuestPhysRange kEverywhere = range(0x1000, kTop - 0x1000 + 1);

TEST(WholePages, WidensToPageBoundaries) {
  EXPECT_EQ(whole_pages(range(0x1000, 0x1000)), range(0x1000, 0x1000));
  EXPECT_EQ(whole_pages(range(0x1fff, 1)), range(0x1000, 0x1000));
  EXPECT_EQ(whole_pages(range(0x1fff, 2)), range(0x1000, 0x2000));
  EXPECT_EQ(whole_pages(range(kTop, 1)), range(kTop - 0xfff, 0x1000));
}

TEST(FindRoom, TakesTheLowestPagesOfTheWindow) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x10'0000)};
  EXPECT_EQ(find_room(0x2000, {kEverywhere, ram, {}}), range(0x1000, 0x2000));
}

TEST(FindRoom, GoesAroundWhatIsTakenByPages) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x10'0000)};
  const std::vector<GuestPhysRange> taken = {range(0x5000, 1), range(0x2fff, 2)};
  EXPECT_EQ(find_room(0x1000, {kEverywhere, ram, taken}), range(0x1000, 0x1000));
  EXPECT_EQ(find_room(0x2000, {kEverywhere, ram, taken}), range(0x6000, 0x2000));
}

TEST(FindRoom, FillsAHoleOfExactlyItsSize) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x4000)};
  const std::vector<GuestPhysRange> taken = {range(0x1000, 0x1000), range(0x3000, 0x1000)};
  EXPECT_EQ(find_room(0x1000, {kEverywhere, ram, taken}), range(0x2000, 0x1000));
  EXPECT_EQ(find_room(0x2000, {kEverywhere, ram, taken}), std::nullopt);
}

TEST(FindRoom, DoesNotStraddleTwoRangesOfRam) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x3000), range(0x3000, 0x8000)};
  EXPECT_EQ(find_room(0x4000, {kEverywhere, ram, {}}), range(0x3000, 0x4000));
}

TEST(FindRoom, StaysInTheWindow) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x10'0000)};
  EXPECT_EQ(find_room(0x1000, {range(0x8000, 0x1000), ram, {}}), range(0x8000, 0x1000));
  EXPECT_EQ(find_room(0x2000, {range(0x8000, 0x1000), ram, {}}), std::nullopt);
  EXPECT_EQ(find_room(0x1000, {range(0x20'0000, 0x1000), ram, {}}), std::nullopt);
}

TEST(FindRoom, FindsNoneWithoutRam) {
  EXPECT_EQ(find_room(0x1000, {kEverywhere, {}, {}}), std::nullopt);
}

TEST(FindRoom, SurvivesRangesAtTheTop) {
  const std::vector<GuestPhysRange> ram = {range(kTop - 0x1fff, 0x2000)};
  const std::vector<GuestPhysRange> taken = {range(kTop, 1)};
  EXPECT_EQ(find_room(0x1000, {kEverywhere, ram, taken}), range(kTop - 0x1fff, 0x1000));
  EXPECT_EQ(find_room(0x2000, {kEverywhere, ram, taken}), std::nullopt);
}

}  // namespace
}  // namespace nestling
