// What exits over memory come to, driven by made-up exits.
#include "vmm/memory/memory_exits.h"

#include <array>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

using nestling::testing::guest;
using nestling::testing::kGiB;
using nestling::testing::kMiB;
using nestling::testing::SpaceFixture;

constexpr VcpuId kVcpu{1};

struct Recorder final : MemoryEventSink {
  void tell(const MemoryEvent& event) override { seen.push_back(event); }
  std::vector<MemoryEvent> seen;
};

/// 8 KiB of RAM at 1 MiB, then a page of ROM, then nothing.
class MemoryExitsTest : public ::testing::Test, protected SpaceFixture {
 protected:
  static constexpr std::uint64_t kRam = kMiB;
  static constexpr std::uint64_t kRom = kMiB + 2 * kPageSize;
  static constexpr std::uint64_t kNothing = kRom + kPageSize;

  MemoryExitsTest() : SpaceFixture({.range = guest(0, kGiB), .fault_granule = kPageSize}) {
    EXPECT_TRUE(space->map_alloc(guest(kRam, 2 * kPageSize), Populate::kOnTouch, {.name = "ram"}));
    EXPECT_TRUE(space->map_alloc(guest(kRom, kPageSize), Populate::kNow,
                                 {.name = "rom", .access = Access::read() | Access::execute()}));
    std::memset(byte_at(GuestPhysAddr(kRom)), 0x5a, kPageSize);
  }

  [[nodiscard]] std::uint64_t resident() const { return space->statistics().resident.total(); }

  MemoryExits::Piece write(std::uint64_t at, std::vector<std::uint8_t> bytes) {
    return exits.access(kVcpu, GuestPhysAddr(at), Direction::kWrite,
                        std::as_writable_bytes(std::span(bytes)));
  }
  std::vector<std::uint8_t> read(std::uint64_t at, std::size_t size) {
    std::vector<std::uint8_t> bytes(size, 0xcc);
    const auto piece = exits.access(kVcpu, GuestPhysAddr(at), Direction::kRead,
                                    std::as_writable_bytes(std::span(bytes)));
    EXPECT_FALSE(piece.verdict);
    bytes.resize(piece.size);
    return bytes;
  }

  Recorder recorder;
  MemoryExits exits{*space, {.vcpu_count = 2, .sink = &recorder}};
};

TEST_F(MemoryExitsTest, PopulatesWhatIsTouchedAndMovesItsBytes) {
  EXPECT_EQ(resident(), kPageSize);
  EXPECT_EQ(read(kRam + 8, 4), (std::vector<std::uint8_t>{0, 0, 0, 0}));
  EXPECT_EQ(resident(), 2 * kPageSize);
  EXPECT_EQ(write(kRam + 9, {1, 2, 3}).size, 3U);
  EXPECT_EQ(read(kRam + 8, 8), (std::vector<std::uint8_t>{0, 1, 2, 3, 0, 0, 0, 0}));
  EXPECT_EQ(exits.statistics().populated, 1U);
  EXPECT_EQ(exits.statistics().completed, 2U);
  const MemoryEvent first{.kind = MemoryEvent::Kind::kFault,
                          .actor = actor_of(kVcpu),
                          .gpa = GuestPhysAddr(kRam + 8),
                          .size = 4,
                          .access = Access::read(),
                          .outcome = MemoryEvent::Outcome::kPopulated};
  EXPECT_EQ(recorder.seen.front(), first);
}

TEST_F(MemoryExitsTest, TellsOfWatchedBytesWithWhatWasMoved) {
  const WatchList watches({{guest(kRam + 8, 4), Access::write(), "word"}});
  MemoryExits watching(*space, {.sink = &recorder, .watches = &watches});
  ASSERT_TRUE(space->populate(guest(kRam, kPageSize)));
  const auto access = [&](std::uint64_t at, Direction direction, std::size_t size) {
    recorder.seen.clear();
    std::array<std::byte, 16> data{std::byte{0x34}, std::byte{0x12}};
    EXPECT_EQ(
        watching.access(VcpuId{0}, GuestPhysAddr(at), direction, std::span(data).first(size)).size,
        size);
    std::erase_if(recorder.seen,
                  [](const MemoryEvent& event) { return event.kind != MemoryEvent::Kind::kWatch; });
    return recorder.seen;
  };
  const MemoryEvent hit{.kind = MemoryEvent::Kind::kWatch,
                        .actor = actor_of(VcpuId{0}),
                        .gpa = GuestPhysAddr(kRam + 10),
                        .size = 2,
                        .access = Access::write(),
                        .outcome = MemoryEvent::Outcome::kCompleted,
                        .data = 0x1234};
  EXPECT_EQ(access(kRam + 10, Direction::kWrite, 2), std::vector<MemoryEvent>{hit});
  EXPECT_TRUE(access(kRam + 10, Direction::kRead, 2).empty());
  EXPECT_TRUE(access(kRam + 12, Direction::kWrite, 2).empty());
  EXPECT_TRUE(access(kRam + 6, Direction::kWrite, 2).empty());
  const auto straddling = access(kRam, Direction::kWrite, 16);
  ASSERT_EQ(straddling.size(), 1U);
  EXPECT_EQ(straddling.front().data, std::nullopt) << "more than a number holds";
}

TEST_F(MemoryExitsTest, IsExactForEveryWidthAtEveryOffsetAcrossThePages) {
  for (std::size_t width = 1; width <= 8; ++width) {
    for (std::uint64_t at = kRam + kPageSize - 9; at < kRam + kPageSize + 2; ++at) {
      ASSERT_TRUE(space->discard(guest(kRam, 2 * kPageSize)));
      if ((at + width) % 2 == 0) {  // one side of the edge is there already
        ASSERT_TRUE(space->populate(guest(kRam, kPageSize)));
      }
      std::vector<std::uint8_t> bytes;
      for (std::size_t i = 0; i < width; ++i) {
        bytes.push_back(static_cast<std::uint8_t>(at + 16 * i + 1));
      }
      ASSERT_EQ(write(at, bytes).size, width);
      ASSERT_EQ(read(at, width), bytes);
      ASSERT_EQ(read(at - 1, 1), std::vector<std::uint8_t>{0});
      ASSERT_EQ(read(at + width, 1), std::vector<std::uint8_t>{0});
    }
  }
}

TEST_F(MemoryExitsTest, TakesOnlyThePartOfAnAccessThatLiesInOneArea) {
  EXPECT_EQ(write(kRom - 3, {1, 2, 3, 4, 5}).size, 3U);
  EXPECT_EQ(read(kRom - 3, 5), (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(read(kNothing - 2, 8), (std::vector<std::uint8_t>{0x5a, 0x5a}));
  EXPECT_EQ(read(kNothing, 8).size(), 0U);
}

TEST_F(MemoryExitsTest, SaysWhereMemoryBeginsBehindAHole) {
  EXPECT_EQ(exits.gap(GuestPhysAddr(kRam - 5), 8), 5U);
  EXPECT_EQ(exits.gap(GuestPhysAddr(kNothing), 8), 8U);
  EXPECT_EQ(exits.gap(GuestPhysAddr(UINT64_MAX - 3), 8), 8U);
}

TEST_F(MemoryExitsTest, DiscardsWritesToReadOnlyMemoryAndTellsOfThem) {
  EXPECT_EQ(write(kRom + 4, {1, 2, 3, 4}).size, 4U);
  EXPECT_EQ(read(kRom + 4, 4), (std::vector<std::uint8_t>{0x5a, 0x5a, 0x5a, 0x5a}));
  EXPECT_EQ(exits.statistics().denied_writes, 1U);
  EXPECT_EQ(recorder.seen.front().kind, MemoryEvent::Kind::kViolation);
  EXPECT_EQ(recorder.seen.front().outcome, MemoryEvent::Outcome::kDiscarded);
}

TEST_F(MemoryExitsTest, EndsTheRunOverSuchAWriteWhenItIsAskedTo) {
  MemoryExits strict(*space, {.vcpu_count = 2, .denied = UnclaimedPolicy::kStop});
  std::array<std::byte, 2> data{};
  const auto piece = strict.access(kVcpu, GuestPhysAddr(kRom), Direction::kWrite, data);
  ASSERT_TRUE(piece.verdict);
  EXPECT_EQ(piece.verdict->kind, VerdictKind::kUnhandledExit);
  EXPECT_EQ(piece.verdict->reason, "2-byte write to read-only memory at 0x102000");
}

TEST(MemoryExits, ReadsOnesWhereMemoryMayNotBeRead) {
  // A format that can express it.
  SpaceFixture world({.range = guest(0, kGiB), .format = Stage2Kind::kAArch64FourLevels});
  ASSERT_TRUE(world.space->map_alloc(guest(0, kPageSize), Populate::kOnTouch,
                                     {.name = "write-only", .access = Access::write()}));
  MemoryExits exits(*world.space, {});
  std::array<std::byte, 2> data{};
  const auto piece = exits.access(VcpuId{0}, GuestPhysAddr(8), Direction::kRead, data);
  EXPECT_EQ(piece.size, 2U);
  EXPECT_EQ(data, (std::array{std::byte{0xff}, std::byte{0xff}}));
  EXPECT_EQ(exits.statistics().denied_reads, 1U);
  EXPECT_EQ(world.space->statistics().resident.total(), 0U);
}

TEST_F(MemoryExitsTest, EndsTheRunWithNumbersWhenThereIsNoMemoryLeft) {
  pool->set_limit(pool->statistics().committed);
  std::array<std::byte, 2> data{};
  const auto piece = exits.access(kVcpu, GuestPhysAddr(kRam), Direction::kWrite, data);
  ASSERT_TRUE(piece.verdict);
  EXPECT_EQ(piece.verdict->kind, VerdictKind::kHostRefused);
  EXPECT_NE(piece.verdict->reason.find("cannot be populated"), std::string::npos);
  EXPECT_NE(piece.verdict->reason.find("KiB are resident"), std::string::npos);
  EXPECT_EQ(recorder.seen.back().outcome, MemoryEvent::Outcome::kOutOfMemory);
}

TEST_F(MemoryExitsTest, PopulatesEveryPageThatAMemoryFaultNames) {
  EXPECT_FALSE(exits.on_memory_fault(kVcpu, {guest(kRam, 2 * kPageSize), 0}));
  EXPECT_EQ(resident(), 3 * kPageSize);
  // Another vCPU's fault of the same pages.
  EXPECT_FALSE(exits.on_memory_fault(VcpuId{0}, {guest(kRam, 2 * kPageSize), 0}));
  EXPECT_EQ(exits.statistics().faults, 2U);
}

TEST_F(MemoryExitsTest, EndsARunInWhichAMemoryFaultNeverGoesAway) {
  std::optional<Verdict> verdict;
  int served = 0;
  while (!verdict && served < 1000) {
    verdict = exits.on_memory_fault(kVcpu, {guest(kRam, kPageSize), 8});
    ++served;
  }
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->kind, VerdictKind::kUnhandledExit);
  EXPECT_GT(served, 10);
}

TEST_F(MemoryExitsTest, GoesOnWithAPageThatIsTakenAwayAgainAndAgain) {
  for (int round = 0; round < 1000; ++round) {
    ASSERT_TRUE(space->discard(guest(kRam, kPageSize)));
    ASSERT_TRUE(space->populate(guest(kRam, kPageSize)));  // by another vCPU, which is faster
    ASSERT_FALSE(exits.on_missing_page(kVcpu, guest(kRam, 8), Access::read()));
  }
}

TEST_F(MemoryExitsTest, DoesNotServeAMemoryFaultWithoutMemoryOrWithoutARange) {
  EXPECT_TRUE(exits.on_memory_fault(kVcpu, {guest(kNothing, kPageSize), 0}));
  EXPECT_TRUE(exits.on_memory_fault(kVcpu, {GuestPhysRange(), 0}));
  EXPECT_TRUE(exits.on_memory_fault(kVcpu, {guest(0, UINT64_MAX), 0}));
}

TEST_F(MemoryExitsTest, AnswersAFailedFetchByPopulatingBothPagesOfTheInstruction) {
  const std::array instruction = {guest(kRam + kPageSize - 3, 3), guest(kRam + kPageSize, 12)};
  const auto first = exits.on_failed_fetch(kVcpu, instruction);
  ASSERT_TRUE(first);
  EXPECT_EQ(*first, MemoryExits::Fetch::kPopulated);
  EXPECT_EQ(exits.statistics().fetches, 2U);
  const auto again = exits.on_failed_fetch(kVcpu, instruction);
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, MemoryExits::Fetch::kWasThere) << "so it was something else";
}

TEST_F(MemoryExitsTest, KnowsWhatKeepsAnAccessAnExit) {
  using Exposure = MemoryExits::Exposure;
  const WatchList watches({{guest(kRam + kPageSize, 8), Access::write(), "word"}});
  const MemoryExits watching(*space, {.watches = &watches});
  EXPECT_EQ(watching.exposure(GuestPhysAddr(kRam), Access::write()), Exposure::kShown);
  EXPECT_EQ(watching.exposure(GuestPhysAddr(kRam + kPageSize + 64), Access::write()),
            Exposure::kTrapped);
  EXPECT_EQ(watching.exposure(GuestPhysAddr(kRam + kPageSize + 64), Access::read()),
            Exposure::kShown)
      << "only its writes are watched";
  EXPECT_EQ(watching.exposure(GuestPhysAddr(kRom), Access::read()), Exposure::kShown);
  EXPECT_EQ(watching.exposure(GuestPhysAddr(kRom), Access::write()), Exposure::kDenied);
  EXPECT_EQ(watching.exposure(GuestPhysAddr(kNothing), Access::read()), Exposure::kNoMemory);
}

}  // namespace
}  // namespace nestling
