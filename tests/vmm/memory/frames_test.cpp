// What keeps the host's pages in step with the view: hidden frames, the host's own paging, pins of
// aliased frames, and the watch over what the host has left.
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/space_fixture.h"
#include "tests/support/temporary_folder.h"
#include "vmm/memory/frame_pins.h"
#include "vmm/memory/hidden_frames.h"
#include "vmm/memory/host_paging.h"
#include "vmm/memory/memory_watch.h"

namespace nestling {
namespace {

using nestling::testing::guest;
using nestling::testing::kGiB;
using nestling::testing::kMiB;
using nestling::testing::SpaceFixture;
using nestling::testing::TemporaryFolder;

const AddressSpace::Options kSmallGranule{.range = guest(0, 64 * kGiB), .fault_granule = kPageSize};

/// True when the kernel can read the byte on our behalf, as KVM does.
bool can_reach(const std::byte* address) {
  std::array<int, 2> ends{};
  check(pipe(ends.data()) == 0, "a pipe for a test");
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  return write(in.get(), address, 1) == 1;
}

TEST(HiddenFrames, ShowsAPageFromWhenItIsPopulatedUntilItIsDiscarded) {
  SpaceFixture world(kSmallGranule);
  HiddenFrames hidden(*world.pool);
  world.space->add_observer(hidden);
  ASSERT_TRUE(world.space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "ram"}));
  std::byte* ram = nullptr;
  world.space->visit_areas(guest(0, 1),
                           [&](const Area& area) { ram = world.pool->pointer(area.host); });
  EXPECT_FALSE(can_reach(ram));
  world.space->handle_page_fault(GuestPhysAddr(kPageSize), Access::read());
  EXPECT_TRUE(can_reach(ram + kPageSize));
  EXPECT_FALSE(can_reach(ram));
  EXPECT_FALSE(can_reach(ram + 2 * kPageSize));
  ram[kPageSize] = std::byte{9};
  ASSERT_TRUE(world.space->discard(guest(kPageSize, kPageSize)));
  EXPECT_FALSE(can_reach(ram + kPageSize));
  ASSERT_TRUE(world.space->populate(guest(0, kMiB)));
  EXPECT_EQ(ram[kPageSize], std::byte{0});
  ASSERT_TRUE(world.space->unmap(guest(0, kMiB)));
  EXPECT_TRUE(can_reach(ram));
  world.space->remove_observer(hidden);
}

TEST(HostPaging, GivesBackWhatTheGuestTouchedBehindTheView) {
  SpaceFixture world(kSmallGranule);
  HostPaging paging(*world.pool);
  world.space->add_observer(paging);
  ASSERT_TRUE(world.space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "ram"}));
  std::byte* ram = nullptr;
  world.space->visit_areas(guest(0, 1),
                           [&](const Area& area) { ram = world.pool->pointer(area.host); });
  ram[0] = ram[5 * kPageSize] = std::byte{1};  // as a guest does behind its slot
  ASSERT_TRUE(world.space->discard(guest(0, kPageSize)));
  EXPECT_EQ(ram[0], std::byte{0});
  EXPECT_EQ(ram[5 * kPageSize], std::byte{1});
  ASSERT_TRUE(world.space->unmap(guest(0, kMiB)));
  EXPECT_EQ(ram[5 * kPageSize], std::byte{0}) << "the frames' next user must find zeros";
  world.space->remove_observer(paging);
}

TEST(FramePins, KeepsFramesThatAnAliasShowsFromGoingAway) {
  SpaceFixture world(kSmallGranule);
  FramePins pins;
  world.space->add_observer(pins);
  ASSERT_TRUE(world.space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "ram"}));
  const HostPhysAddr frames = *world.space->translate(GuestPhysAddr(8 * kPageSize));
  ASSERT_TRUE(world.space->map_linear(guest(kGiB, 4 * kPageSize), frames, {.name = "alias"}));
  const auto before = world.snapshot();
  const auto refused = world.space->discard(guest(0, 9 * kPageSize));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail,
            "frames of guest memory at 0x0, 0x9000 bytes, are shown at 0x40000000 too; unmap that "
            "first");
  EXPECT_FALSE(world.space->unmap(guest(11 * kPageSize, kPageSize)));
  EXPECT_EQ(world.snapshot(), before);
  EXPECT_TRUE(world.space->discard(guest(0, 8 * kPageSize)));
  // With the middle of the alias gone, only its ends are shown twice.
  ASSERT_TRUE(world.space->unmap(guest(kGiB + kPageSize, 2 * kPageSize)));
  EXPECT_TRUE(world.space->discard(guest(9 * kPageSize, 2 * kPageSize)));
  EXPECT_FALSE(world.space->discard(guest(8 * kPageSize, kPageSize)));
  EXPECT_FALSE(world.space->discard(guest(11 * kPageSize, kPageSize)));
  ASSERT_TRUE(world.space->unmap(guest(kGiB, 4 * kPageSize)));
  EXPECT_TRUE(world.space->unmap(guest(0, kMiB)));
  world.space->remove_observer(pins);
}

/// A host of 8 GiB with so much available.
void put_host(const TemporaryFolder& folder, std::uint64_t available_mib) {
  folder.write("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: " +
                                   std::to_string(available_mib * 1024) + " kB\n");
}

TEST(MemoryWatch, RefusesToPopulateWhatTheHostCannotGive) {
  const TemporaryFolder folder;
  put_host(folder, 4096);
  SpaceFixture world(kSmallGranule);
  MemoryWatch watch(HostMemory(folder.path().string()), [] { return 3 * kGiB; });
  world.space->add_observer(watch);
  ASSERT_TRUE(world.space->map_alloc(guest(0, 4 * kGiB), Populate::kOnTouch, {.name = "ram"}));
  ASSERT_TRUE(world.space->populate(guest(0, 64 * kMiB)));
  const auto before = world.snapshot();
  const auto refused = world.space->populate(guest(0, 4 * kGiB));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, SpaceError::Reason::kRefused);
  EXPECT_NE(refused.error().detail.find("the host runs out of memory: 4096 MiB are left"),
            std::string::npos)
      << refused.error().detail;
  EXPECT_EQ(world.snapshot(), before);
  world.space->remove_observer(watch);
}

TEST(MemoryWatch, StopsAGuestThatHoldsMemoryOnlyWhileTheHostIsShort) {
  const TemporaryFolder folder;
  std::uint64_t resident = 3 * kGiB;
  const MemoryWatch watch(HostMemory(folder.path().string()), [&] { return resident; });
  EXPECT_FALSE(watch.shortage()) << "nothing is known";
  put_host(folder, 4096);
  EXPECT_FALSE(watch.shortage());
  EXPECT_TRUE(watch.has_room_for(3 * kGiB));
  EXPECT_FALSE(watch.has_room_for(4 * kGiB));
  put_host(folder, 300);
  ASSERT_TRUE(watch.shortage());
  EXPECT_NE(watch.shortage()->find("3072 MiB of the guest's resident"), std::string::npos);
  resident = 10 * kMiB;
  EXPECT_FALSE(watch.shortage()) << "that guest is not to blame";
}

}  // namespace
}  // namespace nestling
