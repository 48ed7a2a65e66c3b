// What faults, populating and discarding come to.
#include <array>
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

}  // namespace
}  // namespace nestling
