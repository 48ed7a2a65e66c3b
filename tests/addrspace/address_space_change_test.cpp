// What mapping, unmapping and protecting do where others go wrong.
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "addrspace/address_space.h"
#include "tests/addrspace/address_space_fixture.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;
using Reason = SpaceError::Reason;

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

// --- map_linear ----------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, MapsFramesAboveAndBelowTheGuestAddress) {
  const HostPhysAddr host = frames(PageSize::k4KiB, 16);
  ASSERT_TRUE(space->map_linear(guest(0, 8 * kPageSize), host, {.name = "low"}));
  ASSERT_TRUE(
      space->map_linear(guest(32 * kGiB, 8 * kPageSize), host + 8 * kPageSize, {.name = "high"}));
  EXPECT_EQ(space->translate(GuestPhysAddr(5)).value(), host + 5);
  EXPECT_EQ(space->translate(GuestPhysAddr(32 * kGiB + 5)).value(), host + 8 * kPageSize + 5);
}

TEST_F(AddressSpaceTest, RefusesFramesThatWrapOrLieOutsideThePool) {
  const GuestPhysRange range = guest(0, 2 * kPageSize);
  EXPECT_EQ(reason_of(space->map_linear(range, HostPhysAddr(kTop - 0xfff), {})),
            Reason::kOutsidePool);
  EXPECT_EQ(reason_of(space->map_linear(range, HostPhysAddr(16 * kGiB - kPageSize), {})),
            Reason::kOutsidePool);
  const auto misaligned = space->map_linear(range, HostPhysAddr(0x123), {});
  EXPECT_EQ(reason_of(misaligned), Reason::kMisaligned);
  EXPECT_EQ(misaligned.error().host, HostPhysAddr(0x123));
  EXPECT_EQ(snapshot(), SpaceFixture().snapshot());
}

TEST_F(AddressSpaceTest, RefusesRightsThatWouldEncodeToNothing) {
  const HostPhysAddr host = frames(PageSize::k4KiB);
  for (const Access access :
       {Access::none(), Access::write(), Access::write() | Access::execute()}) {
    EXPECT_EQ(
        reason_of(space->map_linear(guest(0, kPageSize), host, {.name = "x", .access = access})),
        Reason::kNotExpressible);
    EXPECT_EQ(reason_of(space->map_alloc(guest(0, kPageSize), Populate::kOnTouch,
                                         {.name = "x", .access = access})),
              Reason::kNotExpressible);
  }
}

TEST_F(AddressSpaceTest, UsesTheLargestPagesBothSidesAllow) {
  const HostPhysAddr host = frames(PageSize::k1GiB, 3);
  ASSERT_TRUE(space->map_linear(guest(kGiB - 2 * kMiB - kPageSize, 2 * kGiB),
                                host + (kGiB - 2 * kMiB - kPageSize), {.name = "ram"}));
  EXPECT_EQ(space->query(GuestPhysAddr(kGiB - 2 * kMiB - 1)).value().page_size, PageSize::k4KiB);
  EXPECT_EQ(space->query(GuestPhysAddr(kGiB - 1)).value().page_size, PageSize::k2MiB);
  EXPECT_EQ(space->query(GuestPhysAddr(kGiB)).value().page_size, PageSize::k1GiB);
  EXPECT_EQ(space->query(GuestPhysAddr(2 * kGiB)).value().page_size, PageSize::k2MiB);
}

TEST_F(AddressSpaceTest, RefusesOverlapsAndNamesWhatIsInTheWay) {
  ASSERT_TRUE(space->map_alloc(guest(kMiB, kMiB), Populate::kOnTouch, {.name = "first"}));
  for (const GuestPhysRange range :
       {guest(kMiB, kMiB), guest(0, kMiB + kPageSize), guest(2 * kMiB - kPageSize, kMiB),
        guest(0, 8 * kMiB), guest(kMiB + kPageSize, kPageSize)}) {
    const auto refused = space->map_alloc(range, Populate::kOnTouch, {.name = "second"});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().reason, Reason::kOverlap);
    EXPECT_EQ(refused.error().other, guest(kMiB, kMiB));
    EXPECT_NE(describe(refused.error()).find("first"), std::string::npos);
  }
  EXPECT_TRUE(space->map_alloc(guest(2 * kMiB, kMiB), Populate::kOnTouch, {}));
  EXPECT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {}));
}

TEST_F(AddressSpaceTest, RefusesEmptyMisalignedAndForeignRangesOfNewAreas) {
  for (const Populate populate : {Populate::kNow, Populate::kOnTouch}) {
    EXPECT_EQ(reason_of(space->map_alloc(guest(0, 0), populate, {})), Reason::kEmpty);
    EXPECT_EQ(reason_of(space->map_alloc(guest(1, kPageSize), populate, {})), Reason::kMisaligned);
    EXPECT_EQ(reason_of(space->map_alloc(guest(0, 100), populate, {})), Reason::kMisaligned);
    EXPECT_EQ(
        reason_of(space->map_alloc(guest(64 * kGiB - kPageSize, 2 * kPageSize), populate, {})),
        Reason::kOutsideSpace);
    EXPECT_EQ(reason_of(space->map_alloc(guest(kTop - 0xfff, kPageSize), populate, {})),
              Reason::kOutsideSpace);
  }
}

TEST_F(AddressSpaceTest, FreesNoFrameOfALinearArea) {
  const HostPhysAddr host = frames(PageSize::k4KiB, 4);
  std::memset(pool->pointer(host), 0x77, 4 * kPageSize);
  ASSERT_TRUE(space->map_linear(guest(0, 4 * kPageSize), host, {}));
  ASSERT_TRUE(space->unmap(guest(kPageSize, 2 * kPageSize)));
  space->clear();
  EXPECT_EQ(*pool->pointer(host + 2 * kPageSize), std::byte{0x77});
  EXPECT_TRUE(pool->is_reserved(HostPhysRange::of(host, 4 * kPageSize)));
}

// --- map_alloc -----------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, TakesNoFrameAndNoTableForAGibibyteOnTouch) {
  const auto before = pool->statistics();
  ASSERT_TRUE(space->map_alloc(guest(0, kGiB), Populate::kOnTouch, {.name = "ram"}));
  EXPECT_EQ(pool->statistics().committed, before.committed);
  EXPECT_EQ(space->statistics().table_bytes, kPageSize);
  EXPECT_EQ(space->translate(GuestPhysAddr(5)).error(), Missing::kNotPopulated);
}

TEST_F(AddressSpaceTest, NeverShowsANewAreaWhatAnOldOneHeld) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {}));
    for (std::uint64_t at = 0; at < 4 * kMiB; at += kPageSize) {
      ASSERT_EQ(*byte_at(GuestPhysAddr(at + 9)), std::byte{0}) << "round " << round;
      *byte_at(GuestPhysAddr(at + 9)) = std::byte{0xee};
    }
    ASSERT_TRUE(space->unmap(guest(0, 4 * kMiB)));
  }
}

TEST_F(AddressSpaceTest, SaysOutOfMemoryWhenMemoryRunsOutAndLeaksNothing) {
  pool->set_limit(pool->statistics().committed + kMiB);
  const auto before = snapshot();
  const auto refused = space->map_alloc(guest(0, 2 * kMiB), Populate::kNow, {.name = "ram"});
  EXPECT_EQ(reason_of(refused), Reason::kOutOfMemory);
  EXPECT_NE(describe(refused.error()).find("limit"), std::string::npos);
  EXPECT_EQ(snapshot(), before);
  EXPECT_EQ(reason_of(space->map_alloc(guest(0, 32 * kGiB), Populate::kOnTouch, {})),
            Reason::kOutOfAddresses);
  EXPECT_EQ(snapshot(), before);
}

TEST_F(AddressSpaceTest, BacksAlignedMemoryWithHugePages) {
  ASSERT_TRUE(space->map_alloc(guest(4 * kGiB + kPageSize, 2 * kGiB), Populate::kNow, {}));
  EXPECT_EQ(space->query(GuestPhysAddr(5 * kGiB)).value().page_size, PageSize::k1GiB);
  EXPECT_EQ(space->query(GuestPhysAddr(5 * kGiB - 1)).value().page_size, PageSize::k2MiB);
  const auto host = space->translate(GuestPhysAddr(4 * kGiB + 2 * kMiB)).value();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pool->pointer(host)) % (2 * kMiB), 0U);
}

// --- unmap ---------------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, KeepsTheRestOfAHugePageThatIsPartlyUnmapped) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {.name = "ram"}));
  *byte_at(GuestPhysAddr(3 * kPageSize)) = std::byte{3};
  *byte_at(GuestPhysAddr(6 * kPageSize)) = std::byte{6};
  const HostPhysAddr frame = space->translate(GuestPhysAddr(6 * kPageSize)).value();
  ASSERT_TRUE(space->unmap(guest(4 * kPageSize, 2 * kPageSize)));
  EXPECT_EQ(*byte_at(GuestPhysAddr(3 * kPageSize)), std::byte{3});
  EXPECT_EQ(*byte_at(GuestPhysAddr(6 * kPageSize)), std::byte{6});
  EXPECT_EQ(space->translate(GuestPhysAddr(6 * kPageSize)).value(), frame);
  EXPECT_EQ(space->query(GuestPhysAddr(2 * kMiB)).value().page_size, PageSize::k2MiB);
  EXPECT_EQ(space->translate(GuestPhysAddr(5 * kPageSize)).error(), Missing::kNoArea);
  EXPECT_EQ(pool->statistics().committed - space->statistics().table_bytes,
            4 * kMiB - 2 * kPageSize);
}

TEST_F(AddressSpaceTest, LeavesNoEntryWithoutAnAreaWhenARangeStartsInsideAHugePage) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {.name = "ram"}));
  ASSERT_TRUE(space->unmap(guest(kMiB, 2 * kMiB)));
  EXPECT_EQ(space->translate(GuestPhysAddr(kMiB)).error(), Missing::kNoArea);
  EXPECT_EQ(space->translate(GuestPhysAddr(3 * kMiB - 1)).error(), Missing::kNoArea);
  EXPECT_TRUE(space->translate(GuestPhysAddr(kMiB - 1)));
  EXPECT_TRUE(space->translate(GuestPhysAddr(3 * kMiB)));
  EXPECT_EQ(space->defect(), std::nullopt);
}

TEST_F(AddressSpaceTest, UnmapsAcrossHolesAndAreasAndGivesEverythingBack) {
  const auto before = snapshot();
  ASSERT_TRUE(space->map_alloc(guest(0, 2 * kMiB), Populate::kNow, {.name = "a"}));
  ASSERT_TRUE(space->map_alloc(guest(3 * kMiB, kMiB), Populate::kOnTouch, {.name = "b"}));
  ASSERT_TRUE(space->map_alloc(guest(5 * kMiB, kMiB), Populate::kNow, {.name = "c"}));
  ASSERT_EQ(space->handle_page_fault(GuestPhysAddr(3 * kMiB), Access::read()).outcome,
            FaultOutcome::kResolved);
  ASSERT_TRUE(space->unmap(space->range()));
  EXPECT_EQ(snapshot().areas, before.areas);
  EXPECT_EQ(snapshot().runs, before.runs);
  EXPECT_EQ(snapshot().reserved - space->statistics().table_bytes, before.reserved - kPageSize);
}

TEST_F(AddressSpaceTest, TakesAnEmptyRangeForNoChange) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {.name = "ram"}));
  const auto before = snapshot();
  EXPECT_TRUE(space->unmap(guest(kMiB, 0)));
  EXPECT_TRUE(space->protect(guest(kMiB, 0), Access::read()));
  EXPECT_TRUE(space->populate(guest(kMiB, 0)));
  EXPECT_TRUE(space->discard(guest(kMiB, 0)));
  EXPECT_EQ(snapshot(), before);
}

// --- protect -------------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, SplitsAreasAndPagesToProtectAndJoinsThemAgain) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {.name = "ram"}));
  const auto before = snapshot();
  ASSERT_TRUE(space->protect(guest(kMiB, kPageSize), Access::read()));
  EXPECT_EQ(snapshot().areas.size(), 3U);
  EXPECT_EQ(space->query(GuestPhysAddr(kMiB)).value().access, Access::read());
  EXPECT_EQ(space->query(GuestPhysAddr(kMiB + kPageSize)).value().access, Access::all());
  ASSERT_TRUE(space->protect(guest(kMiB, kPageSize), Access::all()));
  EXPECT_EQ(snapshot().areas, before.areas);
  EXPECT_EQ(snapshot().runs, before.runs);
  const auto statistics = space->statistics();
  EXPECT_EQ(statistics.area_splits, 2U);
  EXPECT_EQ(statistics.area_joins, 2U);
  EXPECT_EQ(statistics.page_splits, 1U);
  EXPECT_EQ(statistics.page_joins, 1U);
}

TEST_F(AddressSpaceTest, RefusesToProtectWhatIsNotAllMappedOrCannotBeExpressed) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "a"}));
  ASSERT_TRUE(space->map_alloc(guest(2 * kMiB, kMiB), Populate::kNow, {.name = "b"}));
  const auto before = snapshot();
  const auto hole = space->protect(guest(0, 3 * kMiB), Access::read());
  EXPECT_EQ(reason_of(hole), Reason::kNoArea);
  EXPECT_EQ(hole.error().at, GuestPhysAddr(kMiB));
  EXPECT_EQ(reason_of(space->protect(guest(0, kMiB), Access::write())), Reason::kNotExpressible);
  EXPECT_EQ(reason_of(space->protect(guest(0, kMiB), Access::none())), Reason::kNotExpressible);
  EXPECT_EQ(snapshot(), before);
}

TEST_F(AddressSpaceTest, GivesPagesThatComeLaterTheRightsOfTheirAreaAsItIsThen) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "ram"}));
  ASSERT_TRUE(space->protect(guest(0, kMiB), Access::read()));
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(0), Access::write()).outcome,
            FaultOutcome::kDenied);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(0), Access::read()).outcome,
            FaultOutcome::kResolved);
  EXPECT_EQ(space->query(GuestPhysAddr(0)).value().access, Access::read());
}

// --- clear and destruction -----------------------------------------------------------------------

TEST_F(AddressSpaceTest, ClearsAndDiesWithoutAFrameToSpare) {
  ASSERT_TRUE(space->map_alloc(guest(0, 8 * kMiB), Populate::kNow, {.name = "a"}));
  ASSERT_TRUE(space->protect(guest(kMiB, kPageSize), Access::read()));
  ASSERT_TRUE(space->map_alloc(guest(kGiB, kGiB), Populate::kOnTouch, {.name = "b"}));
  ASSERT_TRUE(space->populate(guest(kGiB + kPageSize, kMiB)));
  pool->set_limit(0);
  space->clear();
  EXPECT_TRUE(snapshot().areas.empty());
  EXPECT_TRUE(snapshot().runs.empty());
  space.reset();
  EXPECT_EQ(pool->statistics().committed, 0U);
  EXPECT_EQ(pool->statistics().reserved, 0U);
}

TEST_F(AddressSpaceTest, CanBeUsedAgainAfterClear) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "a"}));
  space->clear();
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "a"}));
  EXPECT_TRUE(space->translate(GuestPhysAddr(kMiB - 1)));
}

}  // namespace
}  // namespace nestling
