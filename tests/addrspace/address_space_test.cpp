// What the address space does where others go wrong, and what it offers beside.
#include "addrspace/address_space.h"

#include <array>
#include <cstring>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/heap_counter.h"
#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;
using Reason = SpaceError::Reason;

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

struct AddressSpaceTest : ::testing::Test, SpaceFixture {
  void TearDown() override {
    if (space) {
      EXPECT_EQ(space->defect(), std::nullopt);
    }
  }
};

Reason reason_of(const Result<void, SpaceError>& result) { return result.error().reason; }

// --- create, contains_range ----------------------------------------------------------------------

TEST(AddressSpaceCreate, RefusesAddressesAboveTheFormatsWidth) {
  const auto pool = SpaceFixture::make_pool();
  constexpr std::array<std::pair<Stage2Kind, unsigned>, 6> kWidths = {
      {{Stage2Kind::kEpt4, 48},
       {Stage2Kind::kEpt5, 57},
       {Stage2Kind::kAmdNested4, 48},
       {Stage2Kind::kAArch64FourLevels, 48},
       {Stage2Kind::kSv39x4, 41},
       {Stage2Kind::kSv48x4, 50}}};
  for (const auto& [format, width] : kWidths) {
    const std::uint64_t end = 1ULL << width;
    EXPECT_TRUE(
        AddressSpace::create(*pool, {.range = guest(end - kPageSize, kPageSize), .format = format}))
        << width;
    const auto refused = AddressSpace::create(
        *pool, {.range = guest(end - kPageSize, 2 * kPageSize), .format = format});
    ASSERT_FALSE(refused) << width;
    EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  }
}

TEST(AddressSpaceCreate, RefusesRangesAndGranulesThatMakeNoSense) {
  const auto pool = SpaceFixture::make_pool();
  EXPECT_FALSE(AddressSpace::create(*pool, {.range = GuestPhysRange()}));
  EXPECT_FALSE(AddressSpace::create(*pool, {.range = guest(1, kPageSize)}));
  EXPECT_FALSE(AddressSpace::create(*pool, {.range = guest(0, kPageSize + 1)}));
  for (const std::uint64_t granule : {std::uint64_t{0}, 2048UL, 12288UL, 2 * kGiB}) {
    EXPECT_FALSE(AddressSpace::create(*pool, {.range = guest(0, kGiB), .fault_granule = granule}));
  }
  EXPECT_EQ(pool->statistics().committed, 0U);
}

TEST(AddressSpaceCreate, ReportsThatThereIsNoRoomForTheRootTable) {
  const auto pool = SpaceFixture::make_pool();
  pool->set_limit(0);
  const auto refused = AddressSpace::create(*pool, {.range = guest(0, kGiB)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kHostRefused);
}

TEST(AddressSpaceCreate, ContainsNoRangeThatWrapsAndTheEmptyOneUpToItsEnd) {
  const SpaceFixture fixture({.range = guest(kMiB, kMiB)});
  const AddressSpace& space = *fixture.space;
  EXPECT_TRUE(space.contains_range(GuestPhysAddr(kMiB), kMiB));
  EXPECT_FALSE(space.contains_range(GuestPhysAddr(kMiB), kMiB + 1));
  EXPECT_FALSE(space.contains_range(GuestPhysAddr(kMiB - 1), 1));
  EXPECT_FALSE(space.contains_range(GuestPhysAddr(kMiB), kTop));
  EXPECT_FALSE(space.contains_range(GuestPhysAddr(kTop), kTop));
  EXPECT_TRUE(space.contains_range(GuestPhysAddr(2 * kMiB), 0));
  EXPECT_FALSE(space.contains_range(GuestPhysAddr(2 * kMiB + 1), 0));
}

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

// --- find_free -----------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, FindsNoHoleThatReachesBeyondTheLimit) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "a"}));
  const GuestPhysRange limit = guest(0, 3 * kMiB);
  EXPECT_EQ(space->find_free(GuestPhysAddr(0), 2 * kMiB, limit, kPageSize).value(),
            GuestPhysAddr(kMiB));
  EXPECT_EQ(space->find_free(GuestPhysAddr(0), 2 * kMiB, limit, 2 * kMiB).error().reason,
            Reason::kNoRoom);
  EXPECT_EQ(space->find_free(GuestPhysAddr(2 * kMiB), 2 * kMiB, limit, kPageSize).value(),
            GuestPhysAddr(kMiB));
  EXPECT_EQ(space->find_free(GuestPhysAddr(kTop), 256 * kPageSize, limit, kPageSize).value(),
            GuestPhysAddr(kMiB));
}

TEST_F(AddressSpaceTest, SurvivesHolesAndAlignmentsThatWrap) {
  const GuestPhysRange all = guest(0, kTop);
  EXPECT_FALSE(space->find_free(GuestPhysAddr(kPageSize), kTop & ~0xfffULL, all, kPageSize));
  EXPECT_FALSE(space->find_free(GuestPhysAddr(kPageSize), 128 * kGiB, all, kPageSize));
  EXPECT_EQ(space->find_free(GuestPhysAddr(0), kPageSize, all, 1ULL << 63).value(),
            GuestPhysAddr(0));
  ASSERT_TRUE(space->map_alloc(guest(0, kPageSize), Populate::kOnTouch, {}));
  EXPECT_FALSE(space->find_free(GuestPhysAddr(0), kPageSize, all, 1ULL << 63));
  EXPECT_EQ(space->find_free(GuestPhysAddr(0), 0, all, kPageSize).error().reason, Reason::kEmpty);
  EXPECT_EQ(space->find_free(GuestPhysAddr(0), 100, all, kPageSize).error().reason,
            Reason::kMisaligned);
  EXPECT_EQ(space->find_free(GuestPhysAddr(0), kPageSize, all, 3 * kPageSize).error().reason,
            Reason::kMisaligned);
}

// --- questions -----------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, TellsApartWhyAnAddressHasNoTranslation) {
  ASSERT_TRUE(space->map_alloc(guest(kMiB, kMiB), Populate::kOnTouch, {.name = "a"}));
  EXPECT_EQ(space->translate(GuestPhysAddr(kMiB)).error(), Missing::kNotPopulated);
  EXPECT_EQ(space->translate(GuestPhysAddr(0)).error(), Missing::kNoArea);
  EXPECT_EQ(space->translate(GuestPhysAddr(64 * kGiB)).error(), Missing::kOutsideSpace);
  EXPECT_EQ(space->translate(GuestPhysAddr(kTop)).error(), Missing::kOutsideSpace);
  EXPECT_EQ(space->query(GuestPhysAddr(kTop)).error(), Missing::kOutsideSpace);
  EXPECT_EQ(space->translate_and_get_limit(GuestPhysAddr(kTop)).error(), Missing::kOutsideSpace);
}

TEST(AddressSpaceQuery, KnowsRightsAndTypesInEveryFormat) {
  for (const Stage2Kind format : kStage2Kinds) {
    const SpaceFixture fixture({.range = guest(0, kGiB), .format = format});
    const HostPhysAddr host = fixture.frames(PageSize::k2MiB, 2);
    ASSERT_TRUE(
        fixture.space->map_linear(guest(0, kMiB), host, {.name = "rom", .access = Access::read()}));
    ASSERT_TRUE(fixture.space->map_linear(
        guest(2 * kMiB, kMiB), host + 2 * kMiB,
        {.name = "frame", .access = Access::read_write(), .type = MemoryType::kUncached}));
    const PageInfo rom = fixture.space->query(GuestPhysAddr(kMiB - 1)).value();
    EXPECT_EQ(rom.access, Access::read()) << static_cast<int>(format);
    EXPECT_EQ(rom.type, MemoryType::kWriteBack);
    EXPECT_EQ(rom.area, "rom");
    EXPECT_EQ(rom.host, host + (kMiB - 1));
    const PageInfo frame = fixture.space->query(GuestPhysAddr(2 * kMiB)).value();
    EXPECT_EQ(frame.access, Access::read_write()) << static_cast<int>(format);
    EXPECT_EQ(frame.type, fixture.space->table().effective_type(MemoryType::kUncached));
    EXPECT_EQ(fixture.space->defect(), std::nullopt);
  }
}

TEST_F(AddressSpaceTest, LimitsToTheBytesThatAreThereFromTheAddressOn) {
  ASSERT_TRUE(space->map_alloc(guest(0, 8 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  ASSERT_TRUE(space->populate(guest(2 * kMiB, 3 * kMiB)));
  const auto limit = space->translate_and_get_limit(GuestPhysAddr(3 * kMiB + 5));
  EXPECT_EQ(limit.value().size(), 2 * kMiB - 5);
  EXPECT_EQ(limit.value().start(), space->translate(GuestPhysAddr(3 * kMiB + 5)).value());
  EXPECT_EQ(space->translate_and_get_limit(GuestPhysAddr(5 * kMiB)).error(),
            Missing::kNotPopulated);
  ASSERT_TRUE(space->populate(guest(0, 8 * kMiB)));
  EXPECT_EQ(space->translate_and_get_limit(GuestPhysAddr(8 * kMiB - 1)).value().size(), 1U);
  EXPECT_EQ(space->translate_and_get_limit(GuestPhysAddr(1)).value().size(), 8 * kMiB - 1);
}

TEST_F(AddressSpaceTest, GivesBuffersUpToAnAreasLastByteAndNotOneMore) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "a"}));
  const GuestPhysRange last = guest(kMiB - 3, 3);
  EXPECT_EQ(space->translated_byte_buffer(last, Access::write()).value().spans().front().size(),
            3U);
  EXPECT_EQ(space->translated_byte_buffer(guest(kMiB - 3, 4), Access::read()).error(),
            (MemoryFault{MemoryFault::Reason::kUnmapped, GuestPhysAddr(kMiB)}));
  EXPECT_EQ(space->translated_byte_buffer(guest(kTop - 7, 8), Access::read()).error(),
            (MemoryFault{MemoryFault::Reason::kUnmapped, GuestPhysAddr(kTop - 7)}));
}

TEST_F(AddressSpaceTest, FailsOrPopulatesWhereABufferIsNotThere) {
  ASSERT_TRUE(space->map_alloc(guest(0, 8 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  const GuestPhysRange range = guest(3 * kMiB, 2 * kMiB);
  EXPECT_EQ(space->translated_byte_buffer(range, Access::read()).error(),
            (MemoryFault{MemoryFault::Reason::kNotPopulated, GuestPhysAddr(3 * kMiB)}));
  const auto spans =
      space->translated_byte_buffer(range, Access::read(), Unpopulated::kIsPopulated);
  ASSERT_TRUE(spans);
  EXPECT_EQ(spans->spans().size(), 1U);
  // The granule around it came along.
  EXPECT_EQ(space->statistics().resident_alloc, 4 * kMiB);
}

TEST_F(AddressSpaceTest, PopulatesNothingForABufferThatIsRefused) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "a"}));
  ASSERT_TRUE(space->map_alloc(guest(kMiB, kMiB), Populate::kOnTouch,
                               {.name = "b", .access = Access::read()}));
  EXPECT_EQ(
      space->translated_byte_buffer(guest(0, 2 * kMiB), Access::write(), Unpopulated::kIsPopulated)
          .error(),
      (MemoryFault{MemoryFault::Reason::kDenied, GuestPhysAddr(kMiB)}));
  EXPECT_EQ(
      space
          ->translated_byte_buffer(guest(kMiB, 2 * kMiB), Access::read(), Unpopulated::kIsPopulated)
          .error(),
      (MemoryFault{MemoryFault::Reason::kUnmapped, GuestPhysAddr(2 * kMiB)}));
  EXPECT_EQ(space->statistics().resident_alloc, 0U);
}

TEST_F(AddressSpaceTest, AnswersQuestionsWithoutTheHeap) {
  ASSERT_TRUE(space->map_alloc(guest(0, 64 * kMiB), Populate::kNow, {.name = "ram"}));
  ASSERT_TRUE(space->map_alloc(guest(64 * kMiB, kMiB), Populate::kOnTouch, {.name = "lazy"}));
  ASSERT_TRUE(space->populate(guest(64 * kMiB, 64 * 1024)));
  (void)space->translate(GuestPhysAddr(0)).has_value();  // this thread's reader slot
  const std::uint64_t before = testing::heap_allocations();
  bool all = true;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const GuestPhysAddr gpa(i * 64 * 1024);
    all = all && space->translate(gpa) && space->query(gpa) &&
          space->translate_and_get_limit(gpa) &&
          space->translated_byte_buffer(GuestPhysRange::of(gpa, 100'000), Access::read());
  }
  all = all && space->translated_byte_buffer(guest(64 * kMiB - 5, 4096), Access::read());
  EXPECT_TRUE(all);
  EXPECT_EQ(testing::heap_allocations(), before);
}

// --- faults --------------------------------------------------------------------------------------

TEST_F(AddressSpaceTest, KeepsTheFrameAndItsBytesAtASecondFault) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  const GuestPhysAddr gpa(kMiB + 123);
  EXPECT_EQ(space->handle_page_fault(gpa, Access::write()),
            (FaultResult{FaultOutcome::kResolved, guest(0, 2 * kMiB)}));
  const HostPhysAddr frame = space->translate(gpa).value();
  *byte_at(gpa) = std::byte{0x55};
  const auto before = snapshot();
  EXPECT_EQ(space->handle_page_fault(gpa, Access::write()).outcome, FaultOutcome::kAlreadyPresent);
  EXPECT_EQ(space->translate(gpa).value(), frame);
  EXPECT_EQ(*byte_at(gpa), std::byte{0x55});
  EXPECT_EQ(snapshot(), before);
}

TEST_F(AddressSpaceTest, SaysWhatEveryFaultCameTo) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kOnTouch,
                               {.name = "ram", .access = Access::read()}));
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(0), Access::read()).outcome,
            FaultOutcome::kResolved);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(0), Access::read()).outcome,
            FaultOutcome::kAlreadyPresent);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(0), Access::write()).outcome,
            FaultOutcome::kDenied);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(4 * kMiB), Access::read()).outcome,
            FaultOutcome::kNoArea);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(kTop), Access::read()).outcome,
            FaultOutcome::kNoArea);
  pool->set_limit(0);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(2 * kMiB), Access::read()).outcome,
            FaultOutcome::kOutOfMemory);
  const auto statistics = space->statistics();
  EXPECT_EQ(statistics.faults,
            (std::array<std::uint64_t, kFaultOutcomes.size()>{1, 1, 1, 2, 1, 0}));
  EXPECT_EQ(statistics.violations, 1U);
}

TEST_F(AddressSpaceTest, PopulatesWhatTheGranuleHoldsOfTheAreaAndLessNearTheLimit) {
  ASSERT_TRUE(space->map_alloc(guest(kMiB, 2 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(2 * kMiB - 1), Access::read()).populated,
            guest(kMiB, kMiB));
  pool->set_limit(pool->statistics().committed + 8 * kPageSize);
  EXPECT_EQ(space->handle_page_fault(GuestPhysAddr(2 * kMiB), Access::read()).populated,
            guest(2 * kMiB, kPageSize));
}

TEST_F(AddressSpaceTest, JoinsPagesThatFaultsBroughtInOneByOne) {
  const SpaceFixture small({.range = guest(0, kGiB), .fault_granule = kPageSize});
  ASSERT_TRUE(small.space->map_alloc(guest(0, 2 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  for (std::uint64_t i = 0; i < 512; ++i) {
    const GuestPhysAddr gpa((i * 37 % 512) * kPageSize);
    ASSERT_EQ(small.space->handle_page_fault(gpa, Access::read()).populated,
              GuestPhysRange::of(gpa, kPageSize));
    *small.byte_at(gpa) = static_cast<std::byte>(i);
  }
  EXPECT_EQ(small.space->query(GuestPhysAddr(0)).value().page_size, PageSize::k2MiB);
  EXPECT_EQ(*small.byte_at(GuestPhysAddr(37 * kPageSize)), std::byte{1});
}

// --- populate and discard ------------------------------------------------------------------------

TEST_F(AddressSpaceTest, GivesFramesBackAndBringsZerosAfterADiscard) {
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {.name = "ram"}));
  std::memset(byte_at(GuestPhysAddr(0)), 0x66, 4 * kMiB);
  const auto before = pool->statistics().committed;
  ASSERT_TRUE(space->discard(guest(kMiB, 2 * kMiB)));
  EXPECT_EQ(space->translate(GuestPhysAddr(kMiB)).error(), Missing::kNotPopulated);
  EXPECT_LT(pool->statistics().committed, before - 2 * kMiB + 4 * kPageSize);
  ASSERT_TRUE(space->populate(guest(0, 4 * kMiB)));
  EXPECT_EQ(*byte_at(GuestPhysAddr(kMiB)), std::byte{0});
  EXPECT_EQ(*byte_at(GuestPhysAddr(kMiB - 1)), std::byte{0x66});
  EXPECT_EQ(*byte_at(GuestPhysAddr(3 * kMiB)), std::byte{0x66});
}

TEST_F(AddressSpaceTest, RefusesToDiscardFramesThatAreNotItsOwn) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "a"}));
  ASSERT_TRUE(space->map_linear(guest(kMiB, kPageSize), frames(PageSize::k4KiB), {.name = "b"}));
  const auto before = snapshot();
  const auto refused = space->discard(guest(0, kMiB + kPageSize));
  EXPECT_EQ(reason_of(refused), Reason::kNotAllocating);
  EXPECT_EQ(refused.error().at, GuestPhysAddr(kMiB));
  EXPECT_EQ(reason_of(space->discard(guest(0, 2 * kMiB))), Reason::kNoArea);
  EXPECT_EQ(reason_of(space->populate(guest(0, 2 * kMiB))), Reason::kNoArea);
  EXPECT_EQ(snapshot(), before);
}

TEST_F(AddressSpaceTest, PopulatesSeveralAreasAtOnceOrNone) {
  for (std::uint64_t i = 0; i < 4; ++i) {
    ASSERT_TRUE(space->map_alloc(guest(i * kMiB, kMiB), Populate::kOnTouch, {.name = "ram"}));
  }
  ASSERT_TRUE(space->populate(guest(kPageSize, kPageSize)));
  const auto before = snapshot();
  pool->set_limit(before.committed + 3 * kMiB);
  EXPECT_EQ(reason_of(space->populate(guest(0, 4 * kMiB))), Reason::kOutOfMemory);
  EXPECT_EQ(snapshot(), before);
  pool->set_limit(UINT64_MAX);
  ASSERT_TRUE(space->populate(guest(0, 4 * kMiB)));
  EXPECT_EQ(space->statistics().resident_alloc, 4 * kMiB);
}

// --- watching ------------------------------------------------------------------------------------

/// Writes down what it is told, and can refuse.
struct Recorder final : ViewObserver {
  Result<void> permits(const ViewChange& change) override {
    if (refuses && change.kind == *refuses) {
      return failure(make_error(ErrorKind::kHostRefused, "no slot left"));
    }
    return {};
  }
  void changed(const ViewChange& change) override { seen.emplace_back(change.kind, change.range); }

  std::optional<ViewChange::Kind> refuses;
  std::vector<std::pair<ViewChange::Kind, GuestPhysRange>> seen;
};

TEST_F(AddressSpaceTest, TellsObserversOfEveryChangeInOrder) {
  Recorder recorder;
  space->add_observer(recorder);
  ASSERT_TRUE(space->map_alloc(guest(0, 4 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  space->handle_page_fault(GuestPhysAddr(0), Access::read());
  space->handle_page_fault(GuestPhysAddr(0), Access::read());
  ASSERT_TRUE(space->protect(guest(0, kMiB), Access::read()));
  ASSERT_TRUE(space->populate(guest(kMiB, 3 * kMiB)));
  ASSERT_TRUE(space->discard(guest(0, 2 * kMiB)));
  ASSERT_TRUE(space->unmap(guest(0, 8 * kMiB)));
  using Kind = ViewChange::Kind;
  const std::vector<std::pair<Kind, GuestPhysRange>> expected = {
      {Kind::kMap, guest(0, 4 * kMiB)}, {Kind::kPopulate, guest(0, 2 * kMiB)},
      {Kind::kProtect, guest(0, kMiB)}, {Kind::kPopulate, guest(2 * kMiB, 2 * kMiB)},
      {Kind::kDiscard, guest(0, kMiB)}, {Kind::kDiscard, guest(kMiB, kMiB)},
      {Kind::kUnmap, guest(0, kMiB)},   {Kind::kUnmap, guest(kMiB, 3 * kMiB)}};
  EXPECT_EQ(recorder.seen, expected);
  space->remove_observer(recorder);
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "ram"}));
  EXPECT_EQ(recorder.seen.size(), expected.size());
}

TEST_F(AddressSpaceTest, ChangesNothingThatAnObserverRefuses) {
  Recorder recorder;
  space->add_observer(recorder);
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "ram"}));
  const auto before = snapshot();
  recorder.seen.clear();
  recorder.refuses = ViewChange::Kind::kMap;
  const auto refused = space->map_alloc(guest(kMiB, kMiB), Populate::kNow, {.name = "more"});
  EXPECT_EQ(reason_of(refused), Reason::kRefused);
  EXPECT_EQ(refused.error().detail, "no slot left");
  recorder.refuses = ViewChange::Kind::kUnmap;
  EXPECT_EQ(reason_of(space->unmap(guest(0, kPageSize))), Reason::kRefused);
  recorder.refuses = ViewChange::Kind::kProtect;
  EXPECT_EQ(reason_of(space->protect(guest(0, kPageSize), Access::read())), Reason::kRefused);
  EXPECT_EQ(snapshot(), before);
  EXPECT_TRUE(recorder.seen.empty());
  space->remove_observer(recorder);
}

TEST_F(AddressSpaceTest, RecordsWhoTouchedWhatWhereTheAreasPolicySaysSo) {
  ASSERT_TRUE(space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "quiet"}));
  ASSERT_TRUE(space->map_alloc(guest(kMiB, kMiB), Populate::kOnTouch,
                               {.name = "watched", .audit = AuditPolicy::kAll}));
  const Actor vcpu{.kind = Actor::Kind::kVcpu, .index = 2};
  space->handle_page_fault(GuestPhysAddr(kMiB + 7), Access::write(), vcpu);
  ASSERT_TRUE(
      space->translated_byte_buffer(guest(0, 2 * kMiB), Access::read(), Unpopulated::kFails, vcpu));
  const auto records = space->audit_log().records();
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records.at(0).range, guest(kMiB + 7, 1));
  EXPECT_EQ(records.at(0).access, Access::write());
  EXPECT_EQ(records.at(1).range, guest(kMiB, kMiB));
  EXPECT_EQ(describe(records.at(1).actor), "vcpu 2");
  ASSERT_TRUE(space->set_audit_policy(guest(kMiB, kMiB), AuditPolicy::kOff));
  ASSERT_TRUE(space->translated_byte_buffer(guest(kMiB, 5), Access::read()));
  EXPECT_EQ(space->audit_log().records().size(), 2U);
}

TEST(AuditLog, KeepsTheNewestRecords) {
  AuditLog log(3);
  for (std::uint64_t i = 0; i < 5; ++i) {
    log.record({}, guest(i, 1), Access::read(), AuditVerdict::kAllowed);
  }
  const auto records = log.records();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records.front().sequence, 2U);
  EXPECT_EQ(records.back().range, guest(4, 1));
  AuditLog none(0);
  none.record({}, guest(0, 1), Access::read(), AuditVerdict::kAllowed);
  EXPECT_TRUE(none.records().empty());
}

TEST_F(AddressSpaceTest, CountsResidentBytesByPageSize) {
  ASSERT_TRUE(space->map_alloc(guest(kGiB, kGiB), Populate::kNow, {.name = "a"}));
  ASSERT_TRUE(space->map_alloc(guest(3 * kGiB - 2 * kMiB, 2 * kMiB + kPageSize), Populate::kNow,
                               {.name = "b"}));
  ASSERT_TRUE(space->map_linear(guest(0, kPageSize), frames(PageSize::k4KiB), {.name = "c"}));
  const auto statistics = space->statistics();
  EXPECT_EQ(statistics.resident[PageSize::k1GiB], kGiB);
  EXPECT_EQ(statistics.resident[PageSize::k2MiB], 2 * kMiB);
  EXPECT_EQ(statistics.resident[PageSize::k4KiB], 2 * kPageSize);
  EXPECT_EQ(statistics.resident_alloc, kGiB + 2 * kMiB + kPageSize);
  EXPECT_EQ(statistics.areas, 3U);
  EXPECT_EQ(statistics.table_bytes + statistics.resident_alloc + kPageSize,
            pool->statistics().committed);
}

}  // namespace
}  // namespace nestling
