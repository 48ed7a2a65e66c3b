// Nestling's boot protocol on arm64: what stands in memory and registers at the first instruction.
#include "boot/aarch64/prepare_boot.h"

#include <libfdt.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "boot/aarch64/boot_vectors.h"
#include "boot/aarch64/ram_layout.h"
#include "boot/elf_image.h"
#include "boot/flat_image.h"
#include "tests/support/elf_builder.h"
#include "tests/support/ram.h"

namespace nestling::aarch64 {
namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kRam = 0x4000'0000;
constexpr std::uint64_t kImage = kRam + kMiB;

/// A kernel of three segments for arm64, 1 MiB into RAM.
ElfBytes kernel_file() {
  ElfBuilder builder;
  builder.add_segment({kImage, 0x40, PF_R | PF_X}, counting_bytes(0x40, 0x90));
  builder.add_segment({kImage + 0x1000, 0x10, PF_R}, counting_bytes(0x10, 1));
  builder.add_segment({kImage + 0x2000, 0x3000, PF_R | PF_W}, counting_bytes(0x20, 0x21));
  builder.set_entry(kImage + 0x10);
  ElfBytes file = builder.build();
  file.header().e_machine = EM_AARCH64;
  return file;
}

class PrepareBootOnArm64 : public testing::Test {
 protected:
  PrepareBootOnArm64()
      : elf_(kernel_file()),
        image_(parse_elf_image(elf_.bytes()).value()),
        ranges_(ram_ranges(16 * kMiB).value()),
        ram_(Ram::create(ranges_).value()) {
    image_.name = "kernel.elf";
  }

  [[nodiscard]] BootRequest request() const { return {image_, ranges_, command_line_, devices_}; }

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
      {DeviceKind::kUartPl011, DeviceSpace::kMmio, 0x900'0000, 0x1000, 33, 0},
      {DeviceKind::kExit, DeviceSpace::kMmio, 0xd000'0000, 4, kNoIrq, 0}};
};

TEST_F(PrepareBootOnArm64, EntersAtTheImagesEntryInEl1WithoutMmu) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->pc.value(), kImage + 0x10);
  EXPECT_EQ(entry->pstate, 0x3c5U) << "EL1h, DAIF";
  EXPECT_EQ(entry->sctlr & 0x1005, 0U) << "MMU, data and instruction caches";
  EXPECT_EQ(entry->cpacr, 0x30'0000U) << "no traps of SIMD in EL1 and EL0";
}

TEST_F(PrepareBootOnArm64, LoadsTheSegments) {
  ASSERT_TRUE(prepare_boot(request(), ram_));
  EXPECT_EQ(read<std::uint8_t>(kImage), 0x90);
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x3f), 0xcf);
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x1000), 1);
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x201f), 0x40);
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x2020), 0);
}

TEST_F(PrepareBootOnArm64, ZeroesBssInRamThatWasUsedBefore) {
  const std::vector<std::byte> dirt(2 * kMiB, std::byte{0xaa});
  ASSERT_TRUE(ram_.write(GuestPhysAddr(kRam), dirt));
  BootRequest used = request();
  used.ram_contents = RamContents::kAnything;
  ASSERT_TRUE(prepare_boot(used, ram_));
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x2020), 0);
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x4fff), 0);
  EXPECT_EQ(read<std::uint8_t>(kImage + 0x5000), 0xaa);
}

TEST_F(PrepareBootOnArm64, GivesAStackWithNothingBelow) {
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->entry.sp.value() % 16, 0U);
  EXPECT_EQ(plan->entry.sp.value() - plan->structures.start().value(), 0x4000U);
}

TEST_F(PrepareBootOnArm64, PutsVectorsWhereVbarPoints) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->vbar.value() % 0x800, 0U);
  EXPECT_EQ(read<BootVectors>(entry->vbar.value()),
            make_boot_vectors(GuestPhysAddr(entry->vbar.value())));
}

TEST_F(PrepareBootOnArm64, HandsOverADeviceTreeInX0) {
  BootRequest two = request();
  const std::vector<std::uint64_t> ids = {0, 1};
  two.cpu_ids = ids;
  const auto entry = prepare_boot(two, ram_);
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->x0.is_aligned(8));
  const auto plan = plan_boot(two);
  std::vector<std::byte> blob(plan->device_tree.size());
  ASSERT_TRUE(ram_.read(entry->x0, blob));
  ASSERT_EQ(fdt_check_full(blob.data(), blob.size()), 0);
  const int chosen = fdt_path_offset(blob.data(), "/chosen");
  EXPECT_STREQ(static_cast<const char*>(fdt_getprop(blob.data(), chosen, "bootargs", nullptr)),
               "status=3 quiet");
  EXPECT_GE(fdt_path_offset(blob.data(), "/memory@40000000"), 0);
  EXPECT_GE(fdt_path_offset(blob.data(), "/serial@9000000"), 0);
  EXPECT_GE(fdt_path_offset(blob.data(), "/cpus/cpu@1"), 0);
}

TEST_F(PrepareBootOnArm64, DescribesTheMachineInBootInfo) {
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->x1.is_aligned(8));
  const auto info = read<BootInfo>(entry->x1.value());
  EXPECT_EQ(info.magic, kBootInfoMagic);
  std::vector<char> text(command_line_.size() + 1);
  ASSERT_EQ(info.command_line_size, command_line_.size());
  ASSERT_TRUE(ram_.read(GuestPhysAddr(info.command_line), std::as_writable_bytes(std::span(text))));
  EXPECT_STREQ(text.data(), command_line_.c_str());
  ASSERT_EQ(info.device_count, 2U);
  EXPECT_EQ(read<DeviceEntry>(info.devices + sizeof(DeviceEntry)), devices_[1]);
}

TEST_F(PrepareBootOnArm64, HandsOverAMemoryMapOfEverything) {
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan);
  const std::uint64_t structures_size = plan->structures.size();
  const std::vector<MemoryMapEntry> expected = {
      {0, kRam, MemoryKind::kReserved, 0},
      {kRam, structures_size, MemoryKind::kBoot, 0},
      {kRam + structures_size, kMiB - structures_size, MemoryKind::kUsable, 0},
      {kImage, 0x5000, MemoryKind::kImage, 0},
      {kImage + 0x5000, 15 * kMiB - 0x5000, MemoryKind::kUsable, 0},
      {0xc000'0000, 0x4000'0000, MemoryKind::kReserved, 0}};
  EXPECT_EQ(plan->memory_map, expected);
}

TEST_F(PrepareBootOnArm64, KeepsTheStructuresApart) {
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan);
  const EntryState& entry = plan->entry;
  EXPECT_EQ(entry.vbar, entry.sp) << "the stack ends where the vectors begin";
  EXPECT_LE(entry.vbar.value() + plan->vectors.size(), entry.x0.value());
  EXPECT_LE((entry.x0 + plan->device_tree.size()).value(), entry.x1.value());
  EXPECT_LE((entry.x1 + (plan->information.size() - 1)), plan->structures.last());
}

TEST_F(PrepareBootOnArm64, DoesWithoutVectorsBehindAnImageThatFillsTheFirstMegabyte) {
  const auto bytes = counting_bytes(2 * kMiB);
  image_ = make_flat_image(bytes, GuestPhysAddr(kRam), Architecture::kAarch64).value();
  const auto entry = prepare_boot(request(), ram_);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->pc.value(), kRam);
  EXPECT_EQ(entry->sp.value(), kRam + 2 * kMiB + 0x4000);
  EXPECT_EQ(entry->vbar.value(), 0U);
}

/// The message with which the request is refused; fails the test when it is not, as `kind`.
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

TEST_F(PrepareBootOnArm64, RefusesAKernelForAnotherMachine) {
  image_.architecture = Architecture::kX86_64;
  EXPECT_EQ(refusal(request(), ErrorKind::kBadImage),
            "kernel.elf: e_machine: made for x86_64, and this is an aarch64 machine");
}

TEST_F(PrepareBootOnArm64, RefusesAnImageOutsideRam) {
  ranges_ = {GuestPhysRange::of(GuestPhysAddr(kRam), kMiB + 0x2000)};
  EXPECT_NE(refusal(request(), ErrorKind::kBadImage).find("program header 2"), std::string::npos);
}

TEST_F(PrepareBootOnArm64, RefusesACommandLineThatHoldsANul) {
  command_line_ = std::string("a\0b", 3);
  EXPECT_EQ(refusal(request(), ErrorKind::kUsage), "the command line holds a NUL at byte 1");
}

TEST_F(PrepareBootOnArm64, RefusesAnImageThatLeavesNoRoom) {
  ranges_ = {GuestPhysRange::of(GuestPhysAddr(kRam), kMiB + 0x5000)};
  EXPECT_TRUE(plan_boot(request())) << "there is room below";
  image_.segments[1].memory = GuestPhysRange::of(GuestPhysAddr(kRam + 0x6000), 0xf'a000);
  EXPECT_EQ(refusal(request(), ErrorKind::kBadImage),
            "kernel.elf: no 0x7000 bytes of RAM below 3 GiB are left beside the image for stack, "
            "device tree and boot information: give the guest more memory");
  image_.segments[1].memory = GuestPhysRange::of(GuestPhysAddr(kRam + 0x7000), 0xf'9000);
  EXPECT_TRUE(plan_boot(request())) << "exactly enough";
}

TEST_F(PrepareBootOnArm64, BootsAnImageAbove4GiB) {
  ranges_ = ram_ranges(4ULL << 30).value();
  image_.segments[0].memory = GuestPhysRange::of(GuestPhysAddr(0x1'0000'0000), 0x40);
  image_.entry = GuestPhysAddr(0x1'0000'0010);
  const auto plan = plan_boot(request());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->entry.pc.value(), 0x1'0000'0010U);
  EXPECT_EQ(plan->structures.start().value(), kRam);
}

}  // namespace
}  // namespace nestling::aarch64
