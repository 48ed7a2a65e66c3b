// What differs between arm64 hosts: their interrupt controller, and how many addresses a guest has.
#include <algorithm>
#include <cstdlib>
#include <string>

#include <fmt/core.h>

#include "tests/program/program_test.h"

namespace nestling::testing {
namespace {

class Arm64Host : public GuestTest {};

TEST_F(Arm64Host, GivesTheInterruptControllerThatTheDoctorNamesFirst) {
  const ProgramEnd run = GuestTest::run("hello", {"-v"});
  expect_exit_code(run, 0);
  const bool is_v3 = run.errors.find("interrupt controller: GICv3\n") != std::string::npos;
  const std::string name = is_v3 ? "GICv3" : "GICv2";
  expect_contains(run.errors, fmt::format("interrupt controller: {}\n", name));
  expect_contains(nestling({"doctor"}).output, "interrupts    " + name);
  // A bed that was asked for a certain one must not test another.
  if (const char* const expected = std::getenv("NESTLING_GIC")) {
    EXPECT_EQ(name, expected);
  }
}

/// As the doctor says; 0 where it does not.
unsigned long address_bits() {
  const std::string told = nestling({"doctor"}).output;
  const std::string before = "addresses     ";
  const std::size_t at = told.find(before);
  return at == std::string::npos ? 0 : std::stoul(told.substr(at + before.size()));
}

TEST_F(Arm64Host, RefusesAreasBeyondItsAddresses) {
  const unsigned long bits = address_bits();
  ASSERT_NE(bits, 0UL);
  const ProgramEnd fits =
      GuestTest::run("hello", {"--alias", fmt::format("{:#x}:1G:4K", (1ULL << bits) - 0x1000)});
  expect_exit_code(fits, 0);
  const ProgramEnd beyond =
      GuestTest::run("hello", {"--alias", fmt::format("{:#x}:1G:4K", 1ULL << bits)});
  expect_exit_code(beyond, 64);
  expect_contains(beyond.errors,
                  fmt::format("reaches beyond {:#x}, the last guest-physical address on this host",
                              (1ULL << bits) - 1));
}

TEST_F(Arm64Host, SaysHowMuchRamItsAddressesHold) {
  const unsigned long bits = address_bits();
  ASSERT_NE(bits, 0UL);
  const ProgramEnd end =
      GuestTest::run("hello", {"--memory", fmt::format("{}G", 1ULL << (bits - 30))});
  expect_exit_code(end, 64);
  // All but a GiB of devices below RAM and one in its midst.
  expect_contains(end.errors,
                  fmt::format("this host gives guests {} bits of physical address, which "
                              "hold {} GiB of RAM beside the devices: pass --memory ",
                              bits, (1ULL << (bits - 30)) - 2));
}

TEST_F(Arm64Host, TranslatesWithEachOfItsGranulesAsTheVmmDoes) {
  // What the processor has, as the doctor says it: "pages of 4 16 64 KiB".
  std::string told = nestling({"doctor"}).output;
  told = told.substr(std::min(told.find("pages of "), told.size()));
  told = told.substr(0, told.find("KiB"));
  ASSERT_NE(told, "");
  const ProgramEnd end =
      GuestTest::run("page-granules", {"--memory", "1G", "--test-device", "--lazy", "host"});
  expect_exit_code(end, 0);
  for (const std::string size : {"4", "16", "64"}) {
    const bool has_it = told.find(" " + size + " ") != std::string::npos;
    expect_contains(end.output,
                    has_it ? fmt::format("pages of {} KiB translate as the processor does\n", size)
                           : fmt::format("this processor has no pages of {} KiB\n", size));
  }
}

TEST_F(Arm64Host, TurnsCpusOffAndOnAndSuspendsThemByPsci) {
  const ProgramEnd end = GuestTest::run("psci-cpus", {"--cpus", "2"});
  expect_exit_code(end, 0);
  expect_contains(end.output, "CPU 1 went off 3 times\n");
  expect_contains(end.output, "CPU 0 was suspended, and woke for its timer\n");
}

TEST_F(Arm64Host, ExplainsADeviceAccessThatItsProcessorDoesNotDescribe) {
  const ProgramEnd end = GuestTest::run("device-pair");
  expect_exit_code(end, 83);
  expect_contains(end.errors,
                  "access to 0xd0000000, where no RAM is, by an instruction that the "
                  "processor does not describe to KVM (a pair, ");
  expect_contains(end.errors, "use plain loads and stores for devices");
  expect_contains(end.errors, " in nestling::guest::kernel_main(");
}

TEST_F(Arm64Host, OfWhoseGuestEveryCpuIsOffSaysThatItHangs) {
  for (const std::string count : {"1", "2"}) {
    const ProgramEnd end = GuestTest::run("psci-all-off", {"--cpus", count});
    expect_exit_code(end, 82);
    expect_contains(end.output, count + " CPUs go off\n");
    expect_contains(end.errors, "every vCPU is halted or off");
  }
}

}  // namespace
}  // namespace nestling::testing
