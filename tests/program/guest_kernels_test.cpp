// Each guest kernel, run by the real program: what it proves must hold.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>

#include <fmt/core.h>

#include "tests/program/program_test.h"

namespace nestling::testing {
namespace {

class GuestKernel : public GuestTest {};

TEST_F(GuestKernel, HelloSpeaksAndEndsWell) {
  const ProgramEnd end = run("hello");
  expect_exit_code(end, 0);
  EXPECT_EQ(end.output, "Hello from a Nestling guest.\n");
  expect_contains(end.errors, "exit status 0");
}

TEST_F(GuestKernel, ExitStatusHandsOverItsStatus) {
  expect_exit_code(run("exit-status"), 3);
  expect_exit_code(run("exit-status", {"--cmdline", "status=42"}), 42);
}

TEST_F(GuestKernel, BootInfoIsInOrder) {
  const ProgramEnd end = run("boot-info", {"--cmdline", "two words"});
  expect_exit_code(end, 0);
  expect_contains(end.output, "command line: \"two words\"\n");
  expect_contains(end.output, "boot information is in order\n");
}

TEST_F(GuestKernel, BootInfoIsInOrderWithMemoryAboveTheDevices) {
  const ProgramEnd end = run("boot-info", {"--memory", "5G"});
  expect_exit_code(end, 0);
  expect_contains(end.output, is_arm64() ? "memory 0x0000000100000000 size 0xc0000000 usable\n"
                                         : "memory 0x0000000100000000 size 0x80000000 usable\n");
}

TEST_F(GuestKernel, BootInfoIsInOrderWithAnEmptyCommandLine) {
  const ProgramEnd end = run("boot-info");
  expect_exit_code(end, 0);
  expect_contains(end.output, "command line: \"\"\n");
}

TEST_F(GuestKernel, MemorySizeFindsAllMemory) {
  for (const std::string size : {"2M", "3M", "128M", "3G", "4G", "8G"}) {
    const ProgramEnd end = run("memory-size", {"--memory", size});
    expect_exit_code(end, 0);
    expect_contains(end.output, " of them usable\n");
  }
}

TEST_F(GuestKernel, MemorySizeFindsTheLastByteOfEachSize) {
  // On arm64 RAM begins at 1 GiB; from 3 to 4 GiB no machine has any.
  const struct {
    std::string size, last_on_x86_64, last_on_arm64;
  } sizes[] = {{"64M", "0x0000000003ffffff", "0x0000000043ffffff"},
               {"2G", "0x000000007fffffff", "0x00000000bfffffff"},
               {"3G", "0x00000000bfffffff", "0x000000013fffffff"},
               {"4G", "0x000000013fffffff", "0x000000017fffffff"}};
  for (const auto& each : sizes) {
    expect_contains(run("memory-size", {"--memory", each.size}).output,
                    " to " + (is_arm64() ? each.last_on_arm64 : each.last_on_x86_64) + " is");
  }
}

TEST_F(GuestKernel, ExceptionsArriveAsRaised) {
  const ProgramEnd end = run("exceptions");
  expect_exit_code(end, 0);
  expect_contains(end.output, "all exceptions as expected\n");
}

TEST_F(GuestKernel, UnhandledExceptionPrintsItsFrameAndPanics) {
  const ProgramEnd end = run("unhandled-exception");
  expect_exit_code(end, 81);
  if (is_arm64()) {
    expect_contains(end.output, "data abort, vector 4, esr 0x96000004, EL1\n");
    expect_contains(end.output, "far 0x00007fffdeadb000\n");
    expect_contains(end.output, "panic: data abort\n");
    return;
  }
  expect_contains(end.output, "#PF page fault, vector 14, error code 0x0, ring 0\n");
  expect_contains(end.output, "cr2 0x00007fffdeadb000\n");
  expect_contains(end.output, "panic: #PF page fault\n");
}

TEST_F(GuestKernel, UserModeComputesAndReturns) {
  const ProgramEnd end = run("user-mode");
  expect_exit_code(end, 0);
  expect_contains(end.output, "9592 primes below 100000\n");
}

TEST_F(GuestKernel, SerialEchoReturnsWhatItIsSent) {
  const ProgramEnd end = run("serial-echo", {}, "seven b\x04");
  expect_exit_code(end, 7);
  expect_contains(end.output, "\nseven b\nechoed 7 bytes\n");
}

TEST_F(GuestKernel, SerialEchoLosesNothingOfALongInput) {
  std::string text;
  for (int line = 0; line < 64; ++line) {
    text += "line " + std::to_string(line) + " of an input longer than any queue\n";
  }
  const ProgramEnd end = run("serial-echo", {}, text + "\x04");
  expect_contains(end.output, text);
  expect_contains(end.output, "echoed " + std::to_string(text.size()) + " bytes\n");
}

TEST_F(GuestKernel, SerialEchoThatWaitsForMoreInputThanThereIsHangs) {
  const ProgramEnd end = run("serial-echo", {}, "no end");
  expect_exit_code(end, 82);
  expect_contains(end.output, "no end");
}

TEST_F(GuestKernel, TimerTicks) {
  const ProgramEnd end = run("timer");
  expect_exit_code(end, 0);
  EXPECT_EQ(end.output, is_arm64() ? "5 ticks of the virtual timer\n5 ticks of the physical timer\n"
                                   : "5 ticks of the PIT\n5 ticks of the local APIC\n");
}

TEST_F(GuestKernel, RtcTellsTheHostsTime) {
  const std::time_t before = std::time(nullptr);
  const ProgramEnd end = run("rtc");
  const std::time_t after = std::time(nullptr);
  expect_exit_code(end, 0);
  std::tm shown{};
  const char* rest = strptime(end.output.c_str(), "%Y-%m-%dT%H:%M:%SZ", &shown);
  ASSERT_NE(rest, nullptr) << end.output;
  EXPECT_STREQ(rest, "\n");
  const std::time_t time = timegm(&shown);
  EXPECT_GE(time, before - 1) << end.output;
  EXPECT_LE(time, after + 1) << end.output;
}

TEST_F(GuestKernel, RtcInterrupts) {
  const ProgramEnd end = run("rtc-interrupt");
  expect_exit_code(end, 0);
  // Arm's clock knows seconds only.
  EXPECT_EQ(end.output, is_arm64() ? "2 interrupts of the clock\n" : "8 interrupts of the clock\n");
}

TEST_F(GuestKernel, UnclaimedPortReadsAllOnes) {
  if (!has_kernel("unclaimed-port")) {
    return;
  }
  const ProgramEnd end = run("unclaimed-port");
  expect_exit_code(end, 0);
  expect_contains(end.errors, "4 unclaimed accesses");
}

TEST_F(GuestKernel, UnclaimedAddressReadsAllOnes) {
  const ProgramEnd end = run("unclaimed-mmio");
  expect_exit_code(end, 0);
  expect_contains(end.errors, "5 unclaimed accesses");
}

TEST_F(GuestKernel, MmioExitEndsTheRun) { expect_exit_code(run("mmio-exit"), 5); }

TEST_F(GuestKernel, FirstTouchFindsWhatItWrote) {
  const ProgramEnd end =
      run("first-touch", {"--cmdline", fmt::format("start={:#x} stride=0x10000 count=256",
                                                   NESTLING_RAM_START + 0x2000000)});
  expect_exit_code(end, 0);
  EXPECT_EQ(end.output.find("256 touches in "), 0U) << end.output;
}

TEST_F(GuestKernel, DebugConsolePrints) {
  if (!has_kernel("debug-console")) {
    return;
  }
  const ProgramEnd end = run("debug-console");
  expect_exit_code(end, 0);
  EXPECT_EQ(end.output, "written to the debug console\n");
}

/// The last port of a sweep: it takes 50 µs for each access, so all of them are for the night.
std::string last_port() { return std::getenv("NESTLING_NIGHTLY") != nullptr ? "0xffff" : "0x3ff"; }

TEST_F(GuestKernel, PortSweepHurtsNobody) {
  if (!has_kernel("port-sweep")) {
    return;
  }
  ProgramCall call;
  call.path = program_path();
  call.arguments = {"run", kernel_path("port-sweep"), "--cmdline", "last=" + last_port()};
  call.timeout = std::chrono::minutes(10);
  const ProgramEnd end = end_of(call);
  expect_exit_code(end, 0);
  expect_contains(end.output, "\nswept ports 0x0 to " + last_port() + "\n");
}

TEST_F(GuestKernel, PortSweepHurtsNobodyWhereOtherDevicesAre) {
  if (!has_kernel("port-sweep")) {
    return;
  }
  for (const std::string range : {"0x4f0 0x510", "0xcf0 0xcff", "0xfff0 0xffff"}) {
    const std::size_t space = range.find(' ');
    const std::string first = range.substr(0, space);
    const std::string last = range.substr(space + 1);
    const ProgramEnd end =
        run("port-sweep", {"--cmdline", fmt::format("first={} last={}", first, last)});
    expect_exit_code(end, 0);
    expect_contains(end.output, fmt::format("\nswept ports {} to {}\n", first, last));
  }
}

TEST_F(GuestKernel, ConsoleFloodArrivesWholeAndInOrder) {
  const ProgramEnd end = run("console-flood", {"--cmdline", "lines=500"});
  expect_exit_code(end, 0);
  constexpr std::size_t kLines = 500;
  constexpr std::size_t kLineSize = 64;
  ASSERT_EQ(end.output.size(), kLines * kLineSize);
  for (std::size_t line = 0; line < kLines; ++line) {
    const std::string text = end.output.substr(line * kLineSize, kLineSize);
    EXPECT_EQ(std::stoul(text.substr(0, 18), nullptr, 16), line);
    EXPECT_EQ(text.back(), '\n');
  }
}

}  // namespace
}  // namespace nestling::testing
