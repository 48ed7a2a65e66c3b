// Images against RAM: what fits, what does not, and what is written.
#include "boot/load.h"

#include <gtest/gtest.h>

#include "boot/elf_image.h"
#include "tests/support/elf_builder.h"
#include "tests/support/ram.h"

namespace nestling {
namespace {

GuestPhysRange range(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

/// The message with which `file` is refused in `ram`, or "fits".
std::string verdict(const ElfBytes& file, std::vector<GuestPhysRange> ram) {
  auto image = parse_elf_image(file.bytes());
  EXPECT_TRUE(image) << image.error().message;
  image->name = "kernel";
  const auto checked = check_segments(*image, ram);
  if (!checked) {
    EXPECT_EQ(checked.error().kind, ErrorKind::kBadImage);
    return checked.error().message;
  }
  return "fits";
}

ElfBytes kernel() { return small_kernel().build(); }

TEST(CheckSegments, AcceptsAnImageThatEndsWithRam) {
  EXPECT_EQ(verdict(kernel(), {range(0, 0x10'5000)}), "fits");
  EXPECT_EQ(verdict(kernel(), {range(0, 0x10'4fff)}),
            "kernel: program header 2 at 0x102000-0x104fff (0x3000 bytes) lies outside RAM "
            "(0x0-0x104ffe)");
}

TEST(CheckSegments, RefusesASegmentAcrossAHoleInRam) {
  EXPECT_EQ(verdict(kernel(), {range(0, 0x10'3000), range(0x10'4000, 0x10'0000)}),
            "kernel: program header 2 at 0x102000-0x104fff (0x3000 bytes) lies outside RAM "
            "(0x0-0x102fff, 0x104000-0x203fff)");
}

TEST(CheckSegments, RefusesASegmentAtTheTopOfTheAddressSpace) {
  ElfBytes file = kernel();
  file.program_header(1).p_paddr = ~std::uint64_t{0} - 0xf;
  EXPECT_EQ(verdict(file, {range(0, 0x20'0000)}),
            "kernel: program header 1 at 0xfffffffffffffff0-0xffffffffffffffff (0x10 bytes) lies "
            "outside RAM (0x0-0x1fffff)");
}

TEST(CheckSegments, RefusesASegmentLargerThanRam) {
  ElfBytes file = kernel();
  file.program_header(2).p_memsz = std::uint64_t{4} << 30;
  EXPECT_NE(verdict(file, {range(0, 0x20'0000)}).find("(0x100000000 bytes) lies outside RAM"),
            std::string::npos);
}

TEST(CheckSegments, RefusesSegmentsThatOverlap) {
  ElfBytes file = kernel();
  file.program_header(1).p_paddr = 0x10'003f;
  EXPECT_EQ(verdict(file, {range(0, 0x20'0000)}),
            "kernel: program header 1 at 0x10003f-0x10004e overlaps program header 0 at "
            "0x100000-0x10003f");
  file.program_header(1).p_paddr = 0x10'0040;
  EXPECT_EQ(verdict(file, {range(0, 0x20'0000)}), "fits") << "adjacent, in one page";
}

TEST(CheckSegments, RefusesASegmentInsideAnother) {
  ElfBytes file = kernel();
  file.program_header(1).p_paddr = 0x10'3000;
  EXPECT_EQ(verdict(file, {range(0, 0x20'0000)}),
            "kernel: program header 1 at 0x103000-0x10300f overlaps program header 2 at "
            "0x102000-0x104fff");
  ElfBytes same = kernel();
  same.program_header(1).p_paddr = 0x10'0000;
  EXPECT_NE(verdict(same, {range(0, 0x20'0000)}).find("overlaps"), std::string::npos);
}

/// RAM that remembers which bytes it was asked for.
class RecordingMemory final : public GuestMemory {
 public:
  explicit RecordingMemory(Ram ram) : ram_(std::move(ram)) {}

  Result<SpanList, MemoryFault> spans(GuestPhysRange wanted, Access access) override {
    asked_for_.push_back(wanted);
    return ram_.spans(wanted, access);
  }
  [[nodiscard]] const std::vector<GuestPhysRange>& asked_for() const { return asked_for_; }

 private:
  Ram ram_;
  std::vector<GuestPhysRange> asked_for_;
};

TEST(LoadSegments, LeavesZeroPagesOfFreshRamUntouched) {
  const ElfBytes file = kernel();
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image);
  const std::vector<GuestPhysRange> ram = {range(0, 0x20'0000)};
  RecordingMemory memory(Ram::create(ram).value());
  ASSERT_TRUE(load_segments(*image, RamContents::kZeros, memory));
  const std::vector<GuestPhysRange> expected = {range(0x10'0000, 0x40), range(0x10'1000, 0x10),
                                                range(0x10'2000, 0x20)};
  EXPECT_EQ(memory.asked_for(), expected);
}

TEST(LoadSegments, SaysWhatCouldNotBeLoadedWhereMemoryIsMissing) {
  const ElfBytes file = kernel();
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image);
  const std::vector<GuestPhysRange> ram = {range(0, 0x10'1000)};
  auto memory = Ram::create(ram);
  ASSERT_TRUE(memory);
  const auto loaded = load_segments(*image, RamContents::kZeros, *memory);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().kind, ErrorKind::kHostRefused);
  EXPECT_EQ(loaded.error().message, "cannot load program header 1: no guest memory at 0x101000");
}

}  // namespace
}  // namespace nestling
