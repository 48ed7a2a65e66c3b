// Making an address space, and watching what becomes of it.
#include "addrspace/address_space.h"

#include <array>
#include <limits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/addrspace/address_space_fixture.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;
using Reason = SpaceError::Reason;

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

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
