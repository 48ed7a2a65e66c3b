// Table entries in real guest memory: both sizes, holes, and exchanges that lose.
#include "addrspace/guest_walk.h"

#include <gtest/gtest.h>

#include "tests/support/ram.h"

namespace nestling {
namespace {

constexpr GuestPhysAddr kBase{0x20'0000};

Ram make_ram() {
  const std::array ranges{GuestPhysRange::of(kBase, 0x2000)};
  return Ram::create(ranges).value();
}

TEST(GuestTableMemory, ReadsEntriesOfBothSizes) {
  Ram ram = make_ram();
  ASSERT_TRUE(ram.write_object(kBase + 8, std::uint64_t{0x1122'3344'5566'7788}));
  GuestTableMemory tables(ram);
  EXPECT_EQ(*tables.load({kBase + 8, 8}), 0x1122'3344'5566'7788U);
  EXPECT_EQ(*tables.load({kBase + 12, 4}), 0x1122'3344U);
}

TEST(GuestTableMemory, ReplacesAnEntryOnlyWhileItIsWhatWasExpected) {
  Ram ram = make_ram();
  GuestTableMemory tables(ram);
  EXPECT_EQ(*tables.exchange({kBase + 8, 4}, {0, 0xffff'ffff}), TableMemory::Swap::kDone);
  EXPECT_EQ(*tables.exchange({kBase + 8, 4}, {0, 1}), TableMemory::Swap::kEntryChanged);
  EXPECT_EQ(*tables.load({kBase + 8, 8}), 0xffff'ffffU);
  EXPECT_EQ(*tables.exchange({kBase + 8, 8}, {0xffff'ffff, 7}), TableMemory::Swap::kDone);
  EXPECT_EQ(*tables.load({kBase + 8, 8}), 7U);
}

TEST(GuestTableMemory, FaultsOnAHoleAndAtTheTopOfTheSpace) {
  Ram ram = make_ram();
  GuestTableMemory tables(ram);
  const MemoryFault hole{MemoryFault::Reason::kUnmapped, kBase + 0x2000};
  EXPECT_EQ(tables.load({hole.address, 8}).error(), hole);
  EXPECT_EQ(tables.exchange({hole.address, 8}, {0, 1}).error(), hole);
  EXPECT_FALSE(tables.load({GuestPhysAddr(~0ULL - 7), 8}));
}

TEST(WalkStep, KnowsWhereItsEntryStands) {
  EXPECT_EQ((WalkStep{1, GuestPhysAddr(0x1000), 3, 4, 0}.location().address),
            GuestPhysAddr(0x100c));
}

}  // namespace
}  // namespace nestling
