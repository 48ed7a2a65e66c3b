// Exits as records: what is kept of each kind, its words, and the ring of the last ones.
#include "vmm/exit_record.h"

#include <array>

#include <gtest/gtest.h>

namespace nestling {
namespace {

TEST(ExitRecord, KeepsPortDirectionSizeAndValue) {
  std::array<std::byte, 2> data{std::byte{0x34}, std::byte{0x12}};
  const ExitRecord record = summarize(PortExit{.port = Port(0x3f8),
                                               .direction = Direction::kWrite,
                                               .width = AccessWidth::of(2),
                                               .data = data});
  EXPECT_EQ(exit_kind_name(record.kind), "port");
  EXPECT_EQ(record.address, 0x3f8U);
  EXPECT_EQ(record.size, 2U);
  EXPECT_EQ(record.value, 0x1234U);
  EXPECT_EQ(describe(record), "port write 2 bytes at 0x3f8: 0x1234");
}

TEST(ExitRecord, OfAStringInstructionHasTheFirstElementAndAllBytes) {
  std::array<std::byte, 3> data{std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
  const ExitRecord record = summarize(PortExit{.port = Port(0xe9),
                                               .direction = Direction::kWrite,
                                               .width = AccessWidth::of(1),
                                               .data = data});
  EXPECT_EQ(record.value, std::uint64_t{'a'});
  EXPECT_EQ(record.size, 3U);
}

TEST(ExitRecord, OfAnAccessWithoutDataIsNotAnAccess) {
  EXPECT_EQ(summarize(PortExit{.port = Port(0xe9), .data = {}}).size, 0U);
}

TEST(ExitRecord, NamesEachKindWithItsNumber) {
  std::array<std::byte, 4> data{std::byte{0xff}};
  const MmioExit mmio{.address = GuestPhysAddr(0xd000'0000), .data = data};
  EXPECT_EQ(describe(summarize(mmio)), "mmio read 4 bytes at 0xd0000000: 0xff");
  EXPECT_EQ(describe(summarize(HaltExit{})), "halt");
  EXPECT_EQ(describe(summarize(ShutdownExit{})), "shutdown");
  EXPECT_EQ(describe(summarize(SystemEventExit{.raw_type = 3})), "system-event, type 3");
  EXPECT_EQ(describe(summarize(InternalErrorExit{.suberror = 1})), "internal-error, suberror 1");
  EXPECT_EQ(describe(summarize(FailEntryExit{.hardware_reason = 0x80000021})),
            "fail-entry, reason 0x80000021");
  EXPECT_EQ(describe(summarize(MemoryFaultExit{
                .range = GuestPhysRange::of(GuestPhysAddr(0x5000), 0x1000), .flags = 8})),
            "memory-fault at 0x5000, flags 0x8");
  EXPECT_EQ(describe(summarize(InterruptedExit{})), "interrupted");
  EXPECT_EQ(describe(summarize(UnknownExit{.reason = 99})), "unknown, reason 0x63");
}

TEST(RecentExits, KeepsTheLastOnesOldestFirst) {
  RecentExits recent;
  EXPECT_TRUE(recent.list().empty());
  for (std::uint64_t i = 0; i < RecentExits::kCapacity + 3; ++i) {
    recent.record({.address = i});
  }
  const auto list = recent.list();
  ASSERT_EQ(list.size(), RecentExits::kCapacity);
  EXPECT_EQ(list.front().address, 3U);
  EXPECT_EQ(list.back().address, RecentExits::kCapacity + 2);
  EXPECT_EQ(recent.total(), RecentExits::kCapacity + 3);
}

TEST(RecentExits, ListsFewerBeforeItIsFull) {
  RecentExits recent;
  recent.record({.address = 7});
  ASSERT_EQ(recent.list().size(), 1U);
  EXPECT_EQ(recent.list().front().address, 7U);
}

}  // namespace
}  // namespace nestling
