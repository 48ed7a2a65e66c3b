// nestling inspect: what it says of good and bad kernels, and with which exit code.
#include "vmm/inspect_command.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/elf_builder.h"
#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  std::string text(bytes.size(), '\0');
  std::transform(bytes.begin(), bytes.end(), text.begin(),
                 [](std::byte byte) { return static_cast<char>(byte); });
  return text;
}

/// A folder with one file "kernel" in it.
class InspectCommand : public ::testing::Test {
 protected:
  void write_kernel(const ElfBytes& file) { folder_.write("kernel", text_of(file.bytes())); }

  [[nodiscard]] InspectOptions options() const {
    InspectOptions options;
    options.image.path = folder_.file("kernel");
    options.architecture = Architecture::kX86_64;
    return options;
  }

  /// `text` without the folder's name.
  [[nodiscard]] std::string shortened(std::string text) const {
    const std::string folder = folder_.file("");
    for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder)) {
      text.erase(at, folder.size());
    }
    return text;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(InspectCommand, DescribesAKernelThatWouldBoot) {
  write_kernel(small_kernel().build());
  const InspectResult result = inspect_image(options());
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(shortened(result.output),
            "kernel: ELF64 image for x86_64, 664 bytes\n"
            "  entry    0x100010, start\n"
            "  needs    nothing\n"
            "  symbols  3\n"
            "\n"
            "  segment             guest-physical memory     in memory     in file  rights\n"
            "  program header 0    0x100000-0x10003f          64 bytes    64 bytes  r-x\n"
            "  program header 1    0x101000-0x10100f          16 bytes    16 bytes  r--\n"
            "  program header 2    0x102000-0x104fff            12 KiB    32 bytes  rw-\n"
            "\n"
            "  memory map it would find in 128 MiB of RAM\n"
            "  0x0-0xfff                     4 KiB  reserved\n"
            "  0x1000-0xbfff                44 KiB  boot structures\n"
            "  0xc000-0xfffff              976 KiB  usable\n"
            "  0x100000-0x104fff            20 KiB  image\n"
            "  0x105000-0x7ffffff          127 MiB  usable\n"
            "  0xc0000000-0xffffffff         1 GiB  reserved\n"
            "\n"
            "would boot with 128 MiB of RAM\n");
}

TEST_F(InspectCommand, SaysWhyAKernelWouldNotFitInMemory) {
  write_kernel(small_kernel().build());
  InspectOptions small = options();
  small.memory_size = 1U << 20;
  const InspectResult result = inspect_image(small);
  EXPECT_EQ(result.exit_code, 65);
  EXPECT_EQ(result.error, "");
  EXPECT_NE(result.output.find("ELF64 image for x86_64"), std::string::npos);
  EXPECT_NE(result.output.find("\nwould not boot: program header 0 at 0x100000-0x10003f (0x40 "
                               "bytes) lies outside RAM (0x0-0xfffff)\n"),
            std::string::npos)
      << result.output;
}

TEST_F(InspectCommand, SaysWhyAFileIsNoImage) {
  ElfBytes file = small_kernel().build();
  file.program_header(2).p_filesz = 0x4000;
  write_kernel(file);
  const InspectResult result = inspect_image(options());
  EXPECT_EQ(result.exit_code, 65);
  EXPECT_EQ(shortened(result.output),
            "kernel: would not boot: program header 2: p_filesz 0x4000 is larger than p_memsz "
            "0x3000\n");
}

TEST_F(InspectCommand, RefusesAKernelForAnotherMachine) {
  ElfBytes file = small_kernel().build();
  file.header().e_machine = EM_AARCH64;
  write_kernel(file);
  const InspectResult result = inspect_image(options());
  EXPECT_EQ(result.exit_code, 65);
  EXPECT_NE(result.output.find("would not boot: e_machine: made for aarch64"), std::string::npos);
}

TEST_F(InspectCommand, HoldsAKernelAgainstAnArm64Machine) {
  write_kernel(small_kernel().build());
  InspectOptions on_arm = options();
  on_arm.architecture = Architecture::kAarch64;
  EXPECT_NE(inspect_image(on_arm).output.find("would not boot: e_machine: made for x86_64"),
            std::string::npos);
  ElfBytes file = small_kernel().build();
  file.header().e_machine = EM_AARCH64;
  write_kernel(file);
  const InspectResult result = inspect_image(on_arm);
  EXPECT_EQ(result.exit_code, 65);
  // It is linked for where x86_64 has RAM.
  EXPECT_NE(result.output.find("would not boot: program header 0 at 0x100000"), std::string::npos)
      << result.output;
}

TEST_F(InspectCommand, SaysThatAFileIsMissing) {
  const InspectResult result = inspect_image(options());
  EXPECT_EQ(result.exit_code, 66);
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(shortened(result.error), "nestling: kernel: No such file or directory\n");
}

TEST_F(InspectCommand, RefusesAnImpossibleMemorySize) {
  write_kernel(small_kernel().build());
  InspectOptions odd = options();
  odd.memory_size = 4097;
  const InspectResult result = inspect_image(odd);
  EXPECT_EQ(result.exit_code, 64);
  EXPECT_EQ(result.error,
            "nestling: memory size 4097 bytes: not a multiple of the page size, 4096 bytes\n");
}

TEST_F(InspectCommand, TakesAnyBytesAsAFlatImage) {
  folder_.write("kernel", "\xf4");
  InspectOptions flat = options();
  flat.image.flat_address = GuestPhysAddr(0x7c00);
  const InspectResult result = inspect_image(flat);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.output.find("kernel: flat image for x86_64, 1 byte\n  entry    0x7c00\n"),
            std::string::npos)
      << result.output;
}

TEST_F(InspectCommand, DoubtsThatAProgramForLinuxIsAKernel) {
  // As the C library's: NT_GNU_ABI_TAG, Linux, 3.2.0.
  constexpr std::uint32_t kAbiTag = 1;
  std::vector<std::byte> linux_3_2(16);
  linux_3_2[4] = std::byte{3};
  linux_3_2[8] = std::byte{2};
  ElfBuilder builder = small_kernel();
  builder.add_note("GNU", kAbiTag, linux_3_2);
  write_kernel(builder.build());
  InspectOptions program = options();
  const InspectResult result = inspect_image(program);
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.output.find("but is hardly a kernel: a note says it is a program for Linux 3.2"),
            std::string::npos)
      << result.output;
  program.json = true;
  const auto json = nlohmann::json::parse(inspect_image(program).output);
  EXPECT_EQ(json["image"]["doubts"].size(), 1U);
}

TEST_F(InspectCommand, SaysTheSameInJson) {
  ElfBuilder builder = small_kernel();
  builder.add_note("Nestling", 1, {std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0}});
  ElfBytes file = builder.build();
  file.program_header(0).p_vaddr = 0xffff'ffff'8010'0000;
  file.header().e_entry = 0xffff'ffff'8010'0010;
  write_kernel(file);
  InspectOptions json_options = options();
  json_options.json = true;
  const InspectResult result = inspect_image(json_options);
  EXPECT_EQ(result.exit_code, 0);
  const auto json = nlohmann::json::parse(result.output);
  EXPECT_EQ(json["would_boot"], true);
  EXPECT_EQ(json["reason"], nullptr);
  EXPECT_EQ(json["exit_code"], 0);
  EXPECT_EQ(json["image"]["format"], "ELF64");
  EXPECT_EQ(json["image"]["machine"], "x86_64");
  EXPECT_EQ(json["image"]["entry"]["physical_address"], "0x100010");
  EXPECT_EQ(json["image"]["entry"]["virtual_address"], "0xffffffff80100010");
  EXPECT_EQ(json["image"]["needs"], nlohmann::json::array({"irqchip"}));
  EXPECT_EQ(json["image"]["doubts"], nlohmann::json::array());
  EXPECT_EQ(json["image"]["segments"].size(), 3U);
  EXPECT_EQ(json["image"]["segments"][2]["memory_bytes"], 0x3000);
  EXPECT_EQ(json["image"]["segments"][2]["rights"], "rw-");
  EXPECT_EQ(json["memory_map"][1]["kind"], "boot structures");
  EXPECT_EQ(json["memory_map"][1]["address"], "0x1000");
}

TEST_F(InspectCommand, SaysInJsonWhyNot) {
  InspectOptions json_options = options();
  json_options.json = true;
  const auto missing = nlohmann::json::parse(inspect_image(json_options).output);
  EXPECT_EQ(missing["would_boot"], false);
  EXPECT_EQ(missing["exit_code"], 66);
  EXPECT_EQ(missing["reason"], "No such file or directory");
  EXPECT_EQ(missing["image"], nullptr);
  folder_.write("kernel", "");
  const auto empty = nlohmann::json::parse(inspect_image(json_options).output);
  EXPECT_EQ(empty["exit_code"], 65);
  EXPECT_EQ(empty["reason"], "the file is empty");
}

}  // namespace
}  // namespace nestling
