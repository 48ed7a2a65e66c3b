// What the address space answers, and that asking changes nothing.
#include <limits>

#include <gtest/gtest.h>

#include "addrspace/address_space.h"
#include "tests/addrspace/address_space_fixture.h"
#include "tests/support/heap_counter.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;
using Reason = SpaceError::Reason;

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

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

}  // namespace
}  // namespace nestling
