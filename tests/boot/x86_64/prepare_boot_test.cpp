// Nestling's boot protocol on x86_64: what stands in memory and registers at the first instruction.
#include "boot/x86_64/prepare_boot.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "boot/elf_image.h"
#include "boot/flat_image.h"
#include "boot/x86_64/ram_layout.h"
#include "tests/support/elf_builder.h"
#include "tests/support/ram.h"

namespace nestling::x86_64 {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;

/// Walks the 4-level tables at `cr3` as a CPU would, by hand.
std::uint64_t translate(GuestMemory& memory, GuestPhysAddr cr3, std::uint64_t address) {
  GuestPhysAddr table = cr3;
  for (const unsigned shift : {39U, 30U, 21U}) {
    const auto entry = memory.read_object<std::uint64_t>(table + ((address >> shift) & 511) * 8);
    EXPECT_TRUE(entry);
    EXPECT_EQ(*entry & 3, 3U) << "present and writable at shift " << shift;
    EXPECT_EQ(*entry >> 63, 0U) << "executable";
    if ((*entry & 0x80) != 0) {
      EXPECT_EQ(shift, 21U);
      return (*entry & 0xf'ffff'ffe0'0000) + (address & 0x1f'ffff);
    }
    table = GuestPhysAddr(*entry & 0xf'ffff'ffff'f000);
  }
  ADD_FAILURE() << "no large page for " << address;
  return 0;
}

/// A machine with RAM and a small kernel to boot on it.
class PrepareBoot : public testing::Test {
 protected:
  explicit PrepareBoot(std::uint64_t ram_size = 16 * kMiB)
      : elf_(small_kernel().build()),
        image_(parse_elf_image(elf_.bytes()).value()),
        ranges_(ram_ranges(ram_size).value()),
        ram_(Ram::create(ranges_).value()) {
    image_.name = "kernel.elf";
  }

  [[nodiscard]] BootRequest request() const {
    return {image_, ranges_, command_line_, devices_, cpu_ids_};
  }

  template <typename T>
  T read(std::uint64_t address) {
    return ram_.read_object<T>(GuestPhysAddr(address)).value();
  }

  ElfBytes elf_;
  Image image_;
  std::vector<GuestPhysRange> ranges_;
  Ram ram_;
  std::string command_line_ = "status=3 quiet";
  std::vector<DeviceEntry> devices_ = {
      {DeviceKind::kUart16550, DeviceSpace::kPort, 0x3f8, 8, 4, 0},
      {DeviceKind::kExit, DeviceSpace::kMmio, 0xd000'0000, 4, kNoIrq, 0}};
  std::vector<std::uint64_t> cpu_ids_ = {0, 1, 5};
};

TEST_F(PrepareBoot, EntersAtTheImagesEntryIn64BitMode) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->rip.value(), 0x10'0010U);
  EXPECT_EQ(entry->rflags, 2U);
  EXPECT_EQ(entry->cr0, 0x8001'0033U);
  EXPECT_EQ(entry->cr4, 0x620U);
  EXPECT_EQ(entry->efer, 0x500U);
  EXPECT_EQ(entry->idt, DescriptorTable());
}

TEST_F(PrepareBoot, LoadsTheSegments) {
  ASSERT_TRUE(prepare_boot(request(), ram_));
  EXPECT_EQ(read<std::uint8_t>(0x10'0000), 0x90);
  EXPECT_EQ(read<std::uint8_t>(0x10'003f), 0xcf);
  EXPECT_EQ(read<std::uint8_t>(0x10'1000), 1);
  EXPECT_EQ(read<std::uint8_t>(0x10'201f), 0x40);
  EXPECT_EQ(read<std::uint8_t>(0x10'2020), 0);
}

TEST_F(PrepareBoot, ZeroesBssAndReturnAddressInRamThatWasUsedBefore) {
  const std::vector<std::byte> dirt(2 * kMiB, std::byte{0xaa});
  ASSERT_TRUE(ram_.write(GuestPhysAddr(0), dirt));
  BootRequest used = request();
  used.ram_contents = RamContents::kAnything;
  const auto entry = prepare_boot(used, ram_);
  ASSERT_TRUE(entry);
  EXPECT_EQ(read<std::uint8_t>(0x10'201f), 0x40);
  EXPECT_EQ(read<std::uint8_t>(0x10'2020), 0);
  EXPECT_EQ(read<std::uint8_t>(0x10'4fff), 0);
  EXPECT_EQ(read<std::uint8_t>(0x10'5000), 0xaa);
  EXPECT_EQ(read<std::uint64_t>(entry->rsp.value()), 0U);
}

TEST_F(PrepareBoot, MapsTheFirst4GiBToThemselves) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry);
  for (const std::uint64_t address : {0ULL, 0x10'0010ULL, 0x20'0000ULL, 0x3fff'ffffULL,
                                      0x4000'0000ULL, 0xd000'0000ULL, 0xffff'ffffULL}) {
    EXPECT_EQ(translate(ram_, entry->cr3, address), address);
  }
  EXPECT_EQ(read<std::uint64_t>(entry->cr3.value() + 8), 0U) << "512 GiB and up";
  EXPECT_EQ(read<std::uint64_t>(entry->cr3.value() + 0x1020), 0U) << "4 GiB and up";
}

TEST_F(PrepareBoot, LoadsSegmentsThatMatchTheGdtInMemory) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->gdt.limit, 23);
  const auto gdt = read<std::array<std::uint64_t, 3>>(entry->gdt.base);
  EXPECT_EQ(gdt[0], 0U);
  for (const Segment& segment : {entry->cs, entry->data}) {
    EXPECT_EQ(segment_from(gdt, segment.selector), segment);
    EXPECT_EQ(segment.base, 0U);
    EXPECT_EQ(segment.limit, 0xffff'ffffU);
    EXPECT_TRUE(segment.present);
    EXPECT_TRUE(segment.code_or_data);
    EXPECT_EQ(segment.privilege_level, 0);
  }
  EXPECT_EQ(entry->cs.type, 0xb);
  EXPECT_TRUE(entry->cs.long_mode);
  EXPECT_FALSE(entry->cs.default_big);
  EXPECT_EQ(entry->data.type, 3);
  EXPECT_EQ(entry->tr.type, 11);
}

TEST_F(PrepareBoot, GivesAStackAsBehindACall) {
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan);
  const std::uint64_t rsp = plan->entry.rsp.value();
  EXPECT_EQ(rsp % 16, 8U);
  EXPECT_EQ(read<std::uint64_t>(rsp), 0U);
  EXPECT_GE(rsp - plan->structures.start().value(), 0x3000U) << "room below";
  EXPECT_LE(rsp + 8, plan->entry.cr3.value()) << "the page tables lie above";
}

TEST_F(PrepareBoot, DescribesTheMachineInBootInfo) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->rdi.is_aligned(8));
  const auto info = read<BootInfo>(entry->rdi.value());
  EXPECT_EQ(info.magic, kBootInfoMagic);
  EXPECT_EQ(info.version, 2U);
  EXPECT_EQ(info.size, 80U);
  std::vector<char> text(command_line_.size() + 1);
  ASSERT_EQ(info.command_line_size, command_line_.size());
  ASSERT_TRUE(ram_.read(GuestPhysAddr(info.command_line), std::as_writable_bytes(std::span(text))));
  EXPECT_STREQ(text.data(), command_line_.c_str());
  ASSERT_EQ(info.device_count, 2U);
  EXPECT_EQ(read<DeviceEntry>(info.devices), devices_[0]);
  EXPECT_EQ(read<DeviceEntry>(info.devices + sizeof(DeviceEntry)), devices_[1]);
}

TEST_F(PrepareBoot, NamesTheCpusByTheirHardwareIds) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry);
  const auto info = read<BootInfo>(entry->rdi.value());
  ASSERT_EQ(info.cpu_count, 3U);
  EXPECT_TRUE(GuestPhysAddr(info.cpu_ids).is_aligned(8));
  for (std::size_t cpu = 0; cpu < cpu_ids_.size(); ++cpu) {
    EXPECT_EQ(read<std::uint64_t>(info.cpu_ids + cpu * sizeof(std::uint64_t)), cpu_ids_[cpu]);
  }
}

TEST_F(PrepareBoot, HandsOverAMemoryMapOfEverything) {
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan);
  const std::uint64_t structures_size = plan->structures.size();
  const std::vector<MemoryMapEntry> expected = {
      {0, 0x1000, MemoryKind::kReserved, 0},
      {0x1000, structures_size, MemoryKind::kBoot, 0},
      {0x1000 + structures_size, 0xf'f000 - structures_size, MemoryKind::kUsable, 0},
      {0x10'0000, 0x5000, MemoryKind::kImage, 0},
      {0x10'5000, 16 * kMiB - 0x10'5000, MemoryKind::kUsable, 0},
      {0xc000'0000, 0x4000'0000, MemoryKind::kReserved, 0}};
  EXPECT_EQ(plan->memory_map, expected);

  ASSERT_TRUE(prepare_boot(request(), ram_));
  const auto info = read<BootInfo>(plan->entry.rdi.value());
  ASSERT_EQ(info.memory_map_count, expected.size());
  for (std::size_t index = 0; index < expected.size(); ++index) {
    EXPECT_EQ(read<MemoryMapEntry>(info.memory_map + index * sizeof(MemoryMapEntry)),
              expected[index]);
  }
}

/// The message with which the request is refused; fails the test when it is not, as `kind`, or
/// when memory was written all the same.
std::string refusal(const BootRequest& request, ErrorKind kind) {
  auto none = Ram::create(std::vector{GuestPhysRange::of(GuestPhysAddr(0), 0x1000)});
  const auto refused = prepare_boot(request, *none);
  if (refused) {
    ADD_FAILURE() << "accepted";
    return {};
  }
  EXPECT_EQ(refused.error().kind, kind) << refused.error().message;
  EXPECT_FALSE(plan_boot(request));
  return refused.error().message;
}

TEST_F(PrepareBoot, RefusesAKernelForAnotherMachine) {
  image_.architecture = Architecture::kAarch64;
  EXPECT_EQ(refusal(request(), ErrorKind::kBadImage),
            "kernel.elf: e_machine: made for aarch64, and this is an x86_64 machine");
}

TEST_F(PrepareBoot, RefusesAnImageOutsideRam) {
  ranges_ = {GuestPhysRange::of(GuestPhysAddr(0), 0x10'2000)};
  EXPECT_NE(refusal(request(), ErrorKind::kBadImage).find("program header 2"), std::string::npos);
}

TEST_F(PrepareBoot, RefusesAnEntryAboveWhatIsMapped) {
  ranges_ = ram_ranges(4ULL << 30).value();
  image_.segments[0].memory = GuestPhysRange::of(GuestPhysAddr(0x1'0000'0000), 0x40);
  image_.entry = GuestPhysAddr(0x1'0000'0010);
  EXPECT_EQ(refusal(request(), ErrorKind::kBadImage),
            "kernel.elf: entry 0x100000010: above the first 0x100000000 bytes, which are mapped at "
            "entry");
}

TEST_F(PrepareBoot, RefusesACommandLineThatIsTooLongOrHoldsANul) {
  command_line_ = std::string(kMaxCommandLineSize, 'x');
  EXPECT_TRUE(plan_boot(request()));
  command_line_ += 'x';
  EXPECT_EQ(refusal(request(), ErrorKind::kUsage),
            "the command line has 65536 bytes, more than 65535");
  command_line_ = std::string("a\0b", 3);
  EXPECT_EQ(refusal(request(), ErrorKind::kUsage), "the command line holds a NUL at byte 1");
}

TEST_F(PrepareBoot, RefusesAnImageThatLeavesNoRoom) {
  ranges_ = {GuestPhysRange::of(GuestPhysAddr(0), 0x10'5000)};
  EXPECT_TRUE(plan_boot(request())) << "there is room below";
  image_.segments[1].memory = GuestPhysRange::of(GuestPhysAddr(0xb000), 0xf'5000);
  EXPECT_EQ(refusal(request(), ErrorKind::kBadImage),
            "kernel.elf: no 0xb000 bytes of RAM below 4 GiB are left beside the image for stack, "
            "page tables and boot information: give the guest more memory");
  image_.segments[1].memory = GuestPhysRange::of(GuestPhysAddr(0xc000), 0xf'4000);
  EXPECT_TRUE(plan_boot(request())) << "exactly enough";
}

TEST_F(PrepareBoot, BootsAFlatImageAtAddressZero) {
  const auto bytes = counting_bytes(0x1800);
  image_ = make_flat_image(bytes, GuestPhysAddr(0), Architecture::kX86_64).value();
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->entry.rip, GuestVirtAddr(0));
  EXPECT_EQ(plan->structures.start(), GuestPhysAddr(0x2000));
  EXPECT_EQ(plan->memory_map.front(), (MemoryMapEntry{0, 0x2000, MemoryKind::kImage, 0}));
}

TEST_F(PrepareBoot, PutsNothingWhereASegmentIs) {
  // Segments that chase the structures through the lowest pages.
  for (std::uint64_t start = 0x1000; start < 0x2'0000; start += 0x800) {
    image_.segments[1].memory = GuestPhysRange::of(GuestPhysAddr(start), 0x10);
    const auto plan = plan_boot(request());
    ASSERT_TRUE(plan);
    for (const ImageSegment& segment : image_.segments) {
      EXPECT_FALSE(plan->structures.overlaps(segment.memory)) << start;
    }
    EXPECT_GE(plan->structures.start().value(), 0x1000U);
  }
}

TEST_F(PrepareBoot, KeepsItsRoomForAsManySegmentsAsAFileCanHave) {
  image_.segments.clear();
  for (std::uint64_t index = 0; index < 256; ++index) {
    image_.segments.push_back({GuestPhysRange::of(GuestPhysAddr(0x10'0000 + index * 0x2000), 0x10),
                               GuestVirtAddr(0),
                               {},
                               Access::all(),
                               index});
  }
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->memory_map.size(), 2U * 256 + 4);
  const std::uint64_t end = plan->entry.rdi.value() + plan->information.size();
  EXPECT_LE(end - 1, plan->structures.last().value());
}

}  // namespace
}  // namespace nestling::x86_64
