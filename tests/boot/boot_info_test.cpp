// The boot-info structure: our copy of the contract and the guests' agree field by field.
#include "boot/boot_info.h"

#include <cstddef>
#include <string_view>

#include <gtest/gtest.h>

#include "boot/elf_notes.h"
#include "guest/abi.h"

namespace nestling {
namespace {

template <typename Ours, typename Theirs>
constexpr bool same_value(Ours ours, Theirs theirs) {
  return static_cast<std::uint64_t>(ours) == static_cast<std::uint64_t>(theirs);
}

TEST(BootInfo, LooksToTheGuestAsItDoesToUs) {
  EXPECT_EQ(sizeof(BootInfo), sizeof(guest::BootInfo));
  EXPECT_EQ(offsetof(BootInfo, magic), offsetof(guest::BootInfo, magic));
  EXPECT_EQ(offsetof(BootInfo, version), offsetof(guest::BootInfo, version));
  EXPECT_EQ(offsetof(BootInfo, size), offsetof(guest::BootInfo, size));
  EXPECT_EQ(offsetof(BootInfo, memory_map), offsetof(guest::BootInfo, memory_map));
  EXPECT_EQ(offsetof(BootInfo, memory_map_count), offsetof(guest::BootInfo, memory_map_count));
  EXPECT_EQ(offsetof(BootInfo, command_line), offsetof(guest::BootInfo, command_line));
  EXPECT_EQ(offsetof(BootInfo, command_line_size), offsetof(guest::BootInfo, command_line_size));
  EXPECT_EQ(offsetof(BootInfo, devices), offsetof(guest::BootInfo, devices));
  EXPECT_EQ(offsetof(BootInfo, device_count), offsetof(guest::BootInfo, device_count));
  EXPECT_EQ(offsetof(BootInfo, cpu_ids), offsetof(guest::BootInfo, cpu_ids));
  EXPECT_EQ(offsetof(BootInfo, cpu_count), offsetof(guest::BootInfo, cpu_count));
  EXPECT_EQ(kBootInfoMagic, guest::kBootInfoMagic);
}

TEST(BootInfo, HasTheGuestsMemoryMapEntries) {
  EXPECT_EQ(sizeof(MemoryMapEntry), sizeof(guest::MemoryMapEntry));
  EXPECT_EQ(offsetof(MemoryMapEntry, start), offsetof(guest::MemoryMapEntry, start));
  EXPECT_EQ(offsetof(MemoryMapEntry, size), offsetof(guest::MemoryMapEntry, size));
  EXPECT_EQ(offsetof(MemoryMapEntry, kind), offsetof(guest::MemoryMapEntry, kind));
  EXPECT_TRUE(same_value(MemoryKind::kUsable, guest::MemoryKind::kUsable));
  EXPECT_TRUE(same_value(MemoryKind::kReserved, guest::MemoryKind::kReserved));
  EXPECT_TRUE(same_value(MemoryKind::kBoot, guest::MemoryKind::kBoot));
  EXPECT_TRUE(same_value(MemoryKind::kImage, guest::MemoryKind::kImage));
  EXPECT_TRUE(same_value(MemoryKind::kRom, guest::MemoryKind::kRom));
}

TEST(BootInfo, HasTheGuestsDeviceEntries) {
  EXPECT_EQ(sizeof(DeviceEntry), sizeof(guest::DeviceEntry));
  EXPECT_EQ(offsetof(DeviceEntry, kind), offsetof(guest::DeviceEntry, kind));
  EXPECT_EQ(offsetof(DeviceEntry, space), offsetof(guest::DeviceEntry, space));
  EXPECT_EQ(offsetof(DeviceEntry, address), offsetof(guest::DeviceEntry, address));
  EXPECT_EQ(offsetof(DeviceEntry, size), offsetof(guest::DeviceEntry, size));
  EXPECT_EQ(offsetof(DeviceEntry, irq), offsetof(guest::DeviceEntry, irq));
  EXPECT_EQ(kNoIrq, guest::kNoIrq);
  EXPECT_TRUE(same_value(DeviceKind::kUart16550, guest::DeviceKind::kUart16550));
  EXPECT_TRUE(same_value(DeviceKind::kDebugConsole, guest::DeviceKind::kDebugConsole));
  EXPECT_TRUE(same_value(DeviceKind::kExit, guest::DeviceKind::kExit));
  EXPECT_TRUE(same_value(DeviceKind::kRtcCmos, guest::DeviceKind::kRtcCmos));
  EXPECT_TRUE(same_value(DeviceKind::kPvpanic, guest::DeviceKind::kPvpanic));
  EXPECT_TRUE(same_value(DeviceKind::kUartPl011, guest::DeviceKind::kUartPl011));
  EXPECT_TRUE(same_value(DeviceKind::kRtcPl031, guest::DeviceKind::kRtcPl031));
  EXPECT_TRUE(same_value(DeviceKind::kGicDistributor, guest::DeviceKind::kGicDistributor));
  EXPECT_TRUE(same_value(DeviceKind::kGicCpuInterface, guest::DeviceKind::kGicCpuInterface));
  EXPECT_TRUE(same_value(DeviceKind::kGicRedistributors, guest::DeviceKind::kGicRedistributors));
  EXPECT_TRUE(same_value(DeviceKind::kTest, guest::DeviceKind::kTest));
  EXPECT_TRUE(same_value(DeviceSpace::kPort, guest::DeviceSpace::kPort));
  EXPECT_TRUE(same_value(DeviceSpace::kMmio, guest::DeviceSpace::kMmio));
}

TEST(BootInfo, HasTheGuestsNote) {
  EXPECT_EQ(kNeedsNoteOwner, std::string_view(guest::kNoteOwner));
  EXPECT_EQ(kNeedsNoteType, guest::kNoteNeeds);
  EXPECT_EQ(kNeedsNoteIrqchip, guest::kNeedsIrqchip);
}

}  // namespace
}  // namespace nestling
