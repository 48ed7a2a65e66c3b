// The mirror: slots equal to the view after every operation, and after every refused one.
#include "vmm/memory/slot_mirror.h"

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/fake_slot_table.h"
#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

using nestling::testing::FakeSlotTable;
using nestling::testing::guest;
using nestling::testing::kGiB;
using nestling::testing::kMiB;
using nestling::testing::SpaceFixture;
using Shows = SlotMirror::Shows;

/// A space whose slots a mirror keeps in a fake table.
struct Mirrored : SpaceFixture {
  explicit Mirrored(Shows shows, std::uint32_t limit = 512,
                    std::vector<SlotMirror::Trap> traps = {})
      : SpaceFixture({.range = guest(0, 64 * kGiB), .fault_granule = kPageSize}),
        table(limit),
        mirror(*space, table, gate, {.shows = shows, .traps = std::move(traps)}) {}

  [[nodiscard]] std::string defect() const {
    if (table.broken_rules != 0) {
      return "the table's rules were broken";
    }
    return mirror.defect().value_or("");
  }
  /// True when the guest reaches `gpa` by a slot, at the byte where the view has it.
  [[nodiscard]] bool reaches(std::uint64_t gpa) const {
    const auto slot = table.at(GuestPhysAddr(gpa));
    if (!slot) {
      return false;
    }
    std::byte* wanted = nullptr;
    space->visit_areas(guest(gpa, 1), [&](const Area& area) {
      wanted = pool->pointer(area.host_of(GuestPhysAddr(gpa)));
    });
    return &slot->host[gpa - slot->guest.start().value()] == wanted;
  }

  FakeSlotTable table;
  RunGate gate;
  SlotMirror mirror;
};

TEST(SlotMirror, ShowsAWholeAreaInOneSlotBeforeAnyOfItIsPopulated) {
  Mirrored world(Shows::kAreas);
  ASSERT_TRUE(world.space->map_alloc(guest(kMiB, 4 * kGiB), Populate::kOnTouch, {.name = "ram"}));
  EXPECT_EQ(world.table.count(), 1U);
  EXPECT_TRUE(world.reaches(kMiB));
  EXPECT_TRUE(world.reaches(4 * kGiB + kMiB - 1));
  EXPECT_FALSE(world.reaches(kMiB - 1));
  ASSERT_TRUE(world.space->populate(guest(kMiB, kMiB)));
  EXPECT_EQ(world.table.count(), 1U);
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, ShowsOnlyWhatIsPopulatedWhereEveryFirstTouchIsToBeSeen) {
  Mirrored world(Shows::kPopulated);
  ASSERT_TRUE(world.space->map_alloc(guest(0, kGiB), Populate::kOnTouch, {.name = "ram"}));
  EXPECT_EQ(world.table.count(), 0U);
  world.space->handle_page_fault(GuestPhysAddr(5 * kPageSize), Access::read());
  EXPECT_EQ(world.table.count(), 1U);
  EXPECT_TRUE(world.reaches(5 * kPageSize));
  EXPECT_FALSE(world.reaches(6 * kPageSize));
  // What is there already keeps its slot: nothing is removed to grow.
  ASSERT_TRUE(world.space->populate(guest(4 * kPageSize, 4 * kPageSize)));
  EXPECT_EQ(world.table.count(), 3U);
  EXPECT_EQ(world.mirror.statistics().removed, 0U);
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, MakesReadOnlyAreasReadOnlyAndLeavesOutWhatCannotBeReadOrIsADevice) {
  Mirrored world(Shows::kAreas);
  const Access rx = Access::read() | Access::execute();
  ASSERT_TRUE(
      world.space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "rom", .access = rx}));
  ASSERT_TRUE(world.space->map_alloc(guest(kMiB, kMiB), Populate::kNow,
                                     {.name = "registers", .type = MemoryType::kUncached}));
  EXPECT_EQ(world.table.at(GuestPhysAddr(0))->rights, SlotRights::kReadOnly);
  EXPECT_FALSE(world.table.at(GuestPhysAddr(kMiB)));
  ASSERT_TRUE(world.space->protect(guest(0, kMiB), Access::read_write()));
  EXPECT_EQ(world.table.at(GuestPhysAddr(0))->rights, SlotRights::kReadWrite);
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, CutsAHoleOutOfASlot) {
  Mirrored world(Shows::kAreas);
  ASSERT_TRUE(world.space->map_alloc(guest(0, 4 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  ASSERT_TRUE(world.space->unmap(guest(kMiB, kMiB)));
  EXPECT_EQ(world.table.count(), 2U);
  EXPECT_TRUE(world.reaches(kMiB - 1));
  EXPECT_FALSE(world.table.at(GuestPhysAddr(kMiB)));
  EXPECT_FALSE(world.table.at(GuestPhysAddr(2 * kMiB - 1)));
  EXPECT_TRUE(world.reaches(2 * kMiB));
  EXPECT_EQ(world.mirror.statistics().gate_closings, 1U);
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, TakesAwaySlotsOfDiscardedPagesSoThatTheirNextTouchIsSeen) {
  Mirrored world(Shows::kPopulated);
  ASSERT_TRUE(world.space->map_alloc(guest(0, 4 * kMiB), Populate::kNow, {.name = "ram"}));
  ASSERT_TRUE(world.space->discard(guest(kMiB, kPageSize)));
  EXPECT_FALSE(world.table.at(GuestPhysAddr(kMiB)));
  EXPECT_TRUE(world.reaches(kMiB - 1));
  EXPECT_TRUE(world.reaches(kMiB + kPageSize));
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, ShowsTheSameFramesTwiceForALinearArea) {
  for (const Shows shows : {Shows::kAreas, Shows::kPopulated}) {
    Mirrored world(shows);
    ASSERT_TRUE(world.space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "ram"}));
    const HostPhysAddr frames = *world.space->translate(GuestPhysAddr(0));
    ASSERT_TRUE(world.space->map_linear(guest(kGiB, kMiB), frames, {.name = "alias"}));
    EXPECT_EQ(world.table.at(GuestPhysAddr(0))->host.data(),
              world.table.at(GuestPhysAddr(kGiB))->host.data());
    EXPECT_EQ(world.defect(), "");
  }
}

TEST(SlotMirror, RefusesWithNumbersWhenKvmHasNoSlotLeft) {
  Mirrored world(Shows::kPopulated, 2);
  // Areas apart from each other: no granule is large enough for two of them.
  for (const std::uint64_t page : {0U, 2U, 4U}) {
    ASSERT_TRUE(world.space->map_alloc(guest(page * kPageSize, kPageSize), Populate::kOnTouch,
                                       {.name = "ram"}));
  }
  for (const std::uint64_t page : {0U, 2U}) {
    EXPECT_EQ(
        world.space->handle_page_fault(GuestPhysAddr(page * kPageSize), Access::read()).outcome,
        FaultOutcome::kResolved);
  }
  const auto before = world.snapshot();
  EXPECT_EQ(world.space->handle_page_fault(GuestPhysAddr(4 * kPageSize), Access::read()).outcome,
            FaultOutcome::kRefused);
  const auto refused = world.space->populate(guest(4 * kPageSize, kPageSize));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, SpaceError::Reason::kRefused);
  EXPECT_EQ(
      refused.error().detail,
      "no memory slot is left for guest memory at 0x4000, 0x1000 bytes: KVM gives a VM 2, and "
      "2 are in use; a larger --granule needs fewer, and --lazy uffd or host one an area");
  EXPECT_EQ(world.snapshot(), before);
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, RefusesAHoleThatNeedsASlotMoreThanThereIs) {
  Mirrored world(Shows::kAreas, 1);
  ASSERT_TRUE(world.space->map_alloc(guest(0, 4 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  const auto before = world.snapshot();
  EXPECT_EQ(world.space->unmap(guest(kMiB, kMiB)).error().reason, SpaceError::Reason::kRefused);
  EXPECT_EQ(world.snapshot(), before);
  EXPECT_TRUE(world.reaches(kMiB));
  EXPECT_EQ(world.defect(), "");
  EXPECT_TRUE(world.space->unmap(guest(3 * kMiB, kMiB)));
  EXPECT_EQ(world.defect(), "");
}

TEST(SlotMirror, PopulatesMoreAtATimeBeforeSlotsRunOut) {
  std::mt19937_64 random(5);
  for (const std::uint32_t limit : {16U, 100U, 500U}) {
    Mirrored world(Shows::kPopulated, limit);
    constexpr std::uint64_t kPages = 4096;
    ASSERT_TRUE(
        world.space->map_alloc(guest(0, kPages * kPageSize), Populate::kOnTouch, {.name = "ram"}));
    for (std::uint64_t touch = 0; touch < 2 * kPages; ++touch) {
      const GuestPhysAddr page(random() % kPages * kPageSize);
      const auto outcome = world.space->handle_page_fault(page, Access::read()).outcome;
      ASSERT_TRUE(outcome == FaultOutcome::kResolved || outcome == FaultOutcome::kAlreadyPresent)
          << limit << " slots, touch " << touch << ": " << name_of(outcome);
    }
    EXPECT_GT(world.space->fault_granule(), kPageSize);
    EXPECT_EQ(world.defect(), "");
  }
}

std::vector<SlotMirror::Trap> traps() {
  return {{guest(8 * kPageSize, 2 * kPageSize), Access::write()},
          {guest(9 * kPageSize, 2 * kPageSize), Access::read()},
          {guest(20 * kPageSize, kPageSize), Access::read_write()}};
}

TEST(SlotMirror, LeavesTrappedPagesToExits) {
  for (const Shows shows : {Shows::kAreas, Shows::kPopulated}) {
    Mirrored world(shows, 512, traps());
    ASSERT_TRUE(
        world.space->map_alloc(guest(0, 24 * kPageSize), Populate::kOnTouch, {.name = "ram"}));
    ASSERT_TRUE(world.space->populate(guest(0, 24 * kPageSize)));
    EXPECT_EQ(world.table.count(), 4U);
    for (std::uint64_t page = 0; page < 24; ++page) {
      const auto slot = world.table.at(GuestPhysAddr(page * kPageSize));
      const bool reads_trapped = page == 9 || page == 10 || page == 20;
      ASSERT_EQ(slot.has_value(), !reads_trapped) << page;
      if (slot) {
        EXPECT_TRUE(world.reaches(page * kPageSize)) << page;
        EXPECT_EQ(slot->rights, page == 8 ? SlotRights::kReadOnly : SlotRights::kReadWrite) << page;
      }
    }
    EXPECT_EQ(world.defect(), "");
    ASSERT_TRUE(world.space->unmap(guest(7 * kPageSize, 15 * kPageSize)));
    EXPECT_EQ(world.table.count(), 2U);
    EXPECT_EQ(world.defect(), "");
  }
}

/// One random operation on `space`, on few enough addresses that they meet.
void random_operation(AddressSpace& space, std::mt19937_64& random, HostPhysAddr frames) {
  constexpr std::uint64_t kPages = 24;
  const std::uint64_t first = random() % kPages;
  const auto range = guest(first * kPageSize, (1 + random() % (kPages - first)) * kPageSize);
  constexpr std::array kRights = {Access::all(), Access::read(), Access::execute(),
                                  Access::read_write()};
  const Access access = kRights.at(random() % kRights.size());
  // Which of them fail is the space's business.
  switch (random() % 7) {
    case 0:
      (void)space
          .map_alloc(range, random() % 2 == 0 ? Populate::kNow : Populate::kOnTouch,
                     {.name = "a", .access = access})
          .has_value();
      break;
    case 1:
      (void)space.map_linear(range, frames, {.name = "l"}).has_value();
      break;
    case 2:
      (void)space.unmap(range).has_value();
      break;
    case 3:
      (void)space.protect(range, access).has_value();
      break;
    case 4:
      (void)space.populate(range).has_value();
      break;
    case 5:
      (void)space.discard(range).has_value();
      break;
    default:
      (void)space.handle_page_fault(range.start(), Access::read());
      break;
  }
}

class SlotMirrorModel : public ::testing::TestWithParam<Shows> {};

TEST_P(SlotMirrorModel, EqualsTheViewAfterAnyOperations) {
  std::mt19937_64 random(2026);
  for (int run = 0; run < 20; ++run) {
    // With few slots many operations are refused half way.
    Mirrored world(GetParam(), run % 2 == 0 ? 512 : 4,
                   run % 3 == 0 ? traps() : std::vector<SlotMirror::Trap>());
    const HostPhysAddr frames = world.frames(PageSize::k4KiB, 24);
    for (int step = 0; step < 150; ++step) {
      random_operation(*world.space, random, frames);
      ASSERT_EQ(world.defect(), "") << "run " << run << ", step " << step;
      const auto broken = world.space->defect();
      ASSERT_FALSE(broken) << *broken;
    }
  }
}

TEST_P(SlotMirrorModel, ChangesNothingWhicheverCallOfKvmFails) {
  std::mt19937_64 random(7);
  for (int run = 0; run < 200; ++run) {
    Mirrored world(GetParam(), 512, run % 3 == 0 ? traps() : std::vector<SlotMirror::Trap>());
    const HostPhysAddr frames = world.frames(PageSize::k4KiB, 24);
    for (int step = 0; step < 6; ++step) {
      random_operation(*world.space, random, frames);
    }
    // The same operation again and again, one call further each time, until it needs no more.
    const std::mt19937_64 at_operation = random;
    for (std::uint64_t calls = 0; calls < 40; ++calls) {
      random = at_operation;
      const auto before = world.snapshot();
      world.table.fail_after(calls);
      random_operation(*world.space, random, frames);
      ASSERT_EQ(world.defect(), "") << "run " << run << ", call " << calls;
      if (world.snapshot() != before) {
        break;
      }
    }
    world.table.never_fail();
  }
}

INSTANTIATE_TEST_SUITE_P(, SlotMirrorModel, ::testing::Values(Shows::kAreas, Shows::kPopulated),
                         [](const auto& each) {
                           return each.param == Shows::kAreas ? "Areas" : "Populated";
                         });

}  // namespace
}  // namespace nestling
