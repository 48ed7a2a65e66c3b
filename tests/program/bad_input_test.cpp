// Images and options that cannot work, given to the real program: one clear line and the right
// code.
#include <algorithm>
#include <string>

#include "tests/program/program_test.h"
#include "tests/support/temporary_folder.h"

namespace nestling::testing {
namespace {

/// One line on stderr, and nothing on stdout.
void expect_one_line(const ProgramEnd& end) {
  EXPECT_EQ(end.output, "");
  EXPECT_EQ(std::count(end.errors.begin(), end.errors.end(), '\n'), 1) << end.errors;
  EXPECT_TRUE(end.errors.starts_with("nestling: ")) << end.errors;
}

/// Images that are wrong somewhere, made of a good one.
class BadImage : public GuestTest {
 protected:
  struct Refusal {
    std::string image;  ///< the bytes of the file
    std::string words;  ///< in the line that says why
    std::string memory = "128M";
  };
  void expect_refused(const Refusal& refusal) const {
    folder_.write("kernel", refusal.image);
    const ProgramEnd end = nestling({"run", folder_.file("kernel"), "--memory", refusal.memory});
    expect_exit_code(end, 65);
    expect_one_line(end);
    expect_contains(end.errors, refusal.words);
  }

  static std::string hello() { return file_contents(kernel_path("hello")); }

  /// hello with another byte at `offset` of the ELF header (ELF-64 Object File Format, "ELF
  /// Header").
  static std::string hello_with(std::size_t offset, char byte) {
    std::string image = hello();
    image.at(offset) = byte;
    return image;
  }

  const TemporaryFolder folder_;
};

TEST_F(BadImage, IsRefusedWhenEmpty) { expect_refused({"", "empty"}); }

TEST_F(BadImage, IsRefusedWhenNoElfFile) { expect_refused({"#!/bin/sh\nexit 0\n", "ELF"}); }

TEST_F(BadImage, IsRefusedWhenTruncated) {
  for (const std::size_t size : {1U, 4U, 63U, 64U, 200U, 4096U, 8000U}) {
    expect_refused({hello().substr(0, size), "kernel"});
  }
}

TEST_F(BadImage, IsRefusedWhenFor32Bits) { expect_refused({hello_with(4, 1), "32"}); }

TEST_F(BadImage, IsRefusedWhenForAnotherMachine) {
  constexpr char kX86 = 62;
  constexpr char kAarch64 = '\xb7';
  expect_refused({hello_with(18, is_arm64() ? kX86 : kAarch64), "e_machine: made for "});
}

TEST_F(BadImage, IsRefusedWhenItsEntryIsOutside) {
  expect_refused({hello_with(27, 0x7f), "entry"});
}

TEST_F(BadImage, IsRefusedWhenItDoesNotFitIntoMemory) { expect_refused({hello(), "RAM", "1M"}); }

TEST(MissingImage, Is66) {
  const ProgramEnd missing = nestling({"run", "/no/such/kernel"});
  expect_exit_code(missing, 66);
  expect_one_line(missing);
  expect_contains(missing.errors, "/no/such/kernel");
  const ProgramEnd folder = nestling({"run", "/"});
  expect_exit_code(folder, 66);
  expect_one_line(folder);
}

class BadOption : public GuestTest {};

TEST_F(BadOption, MemoryThatIsNoSizeIs64) {
  for (const std::string size : {"none", "-1", "0", "1000001", "99999999999999999999G"}) {
    const ProgramEnd end = run("hello", {"--memory", size});
    expect_exit_code(end, 64);
    EXPECT_EQ(end.output, "");
  }
}

TEST_F(BadOption, MemoryThatNoProcessorCanAddressIs64) {
  const ProgramEnd end = run("hello", {"--memory", "4096T"});
  expect_exit_code(end, 64);
  expect_one_line(end);
}

TEST_F(BadOption, MemoryThatTheHostRefusesIs71) {
  const ProgramEnd end = run("hello", {"--memory", "200T"});
  expect_exit_code(end, 71);
  expect_one_line(end);
  expect_contains(end.errors, "memory");
}

TEST_F(BadOption, TimeoutWithoutAUnitIs64) {
  expect_exit_code(nestling({"run", kernel_path("hello"), "--timeout", "10"}), 64);
}

TEST_F(BadOption, ConsoleThatIsNoneIs64) {
  expect_exit_code(run("hello", {"--console", "printer"}), 64);
}

class Output : public GuestTest {};

TEST_F(Output, ToAClosedStandardOutputIs71) {
  ProgramCall call;
  call.path = program_path();
  call.arguments = run_arguments("hello");
  call.output = ProgramCall::Output::kClosed;
  const ProgramEnd end = end_of(call);
  expect_exit_code(end, 71);
  expect_contains(end.errors, "standard output");
}

TEST_F(Output, GoesToAFileOrNowhereWhenAsked) {
  const TemporaryFolder folder;
  const ProgramEnd to_file = run("hello", {"--console", "file:" + folder.file("console")});
  expect_exit_code(to_file, 0);
  EXPECT_EQ(to_file.output, "");
  EXPECT_EQ(file_contents(folder.file("console")), "Hello from a Nestling guest.\n");
  const ProgramEnd to_nobody = run("hello", {"--console", "none"});
  expect_exit_code(to_nobody, 0);
  EXPECT_EQ(to_nobody.output, "");
}

class FlatImage : public GuestTest {};

TEST_F(FlatImage, RunsWhereItIsLoaded) {
  const TemporaryFolder folder;
  // mov eax, 7; out 0xf4, eax
  const std::string x86_64("\xb8\x07\x00\x00\x00\xe7\xf4", 7);
  // mov w0, #7; mov x1, #0xd0000000; str w0, [x1]
  const std::string arm64("\xe0\x00\x80\x52\x01\x00\xba\xd2\x20\x00\x00\xb9", 12);
  folder.write("flat", is_arm64() ? arm64 : x86_64);
  const ProgramEnd end =
      nestling({"run", folder.file("flat"), "--flat", is_arm64() ? "0x40200000" : "0x200000"});
  expect_exit_code(end, 7);
}

}  // namespace
}  // namespace nestling::testing
