// Guests with several CPUs: they start, run in lockstep, and their ends are told right.
#include <string>

#include "tests/program/program_test.h"

namespace nestling::testing {
namespace {

class SeveralCpus : public GuestTest {};

TEST_F(SeveralCpus, RunInLockstep) {
  for (const std::string count : {"1", "2", "3", "4"}) {
    const ProgramEnd end = run("smp", {"--cpus", count, "--cmdline", "rounds=20"});
    expect_exit_code(end, 0);
    expect_contains(end.output, count + " CPUs in lockstep for 20 rounds\n");
  }
}

TEST_F(SeveralCpus, AreNamedInTheBootInformation) {
  const ProgramEnd end = run("boot-info", {"--cpus", "3"});
  expect_exit_code(end, 0);
  expect_contains(end.output, "\ncpu 2 id 0x");
  EXPECT_EQ(end.output.find("\ncpu 3 id "), std::string::npos) << end.output;
}

TEST_F(SeveralCpus, AreCountedInTheReportAndTheDecidingOneIsNamed) {
  const ProgramEnd end = run("smp-panic", {"--cpus", "2", "-v"});
  expect_exit_code(end, 81);
  expect_contains(end.errors, "vCPU 1 at ");
  expect_contains(end.errors, " on vCPU 1 after ");
}

TEST_F(SeveralCpus, ThatAllHaltAreAHang) {
  const ProgramEnd end = run("smp-hang", {"--cpus", "3"});
  expect_exit_code(end, 82);
  expect_contains(end.errors, "every vCPU is halted");
}

TEST_F(SeveralCpus, OfWhichOneHaltsAndTheOthersNeverStartedAreAHang) {
  expect_exit_code(run("hang", {"--cpus", "2"}), 82);
}

TEST_F(SeveralCpus, ThatSleepAndWakeEachOtherInTurnsAreNoHang) {
  const ProgramEnd end = run("wake-in-turns", {"--cpus", "2", "--cmdline", "seconds=3"});
  expect_exit_code(end, 0);
  expect_contains(end.output, " turns in 3 seconds\n");
}

TEST_F(SeveralCpus, OfWhichOneSpinsAreStoppedByTheTimeout) {
  const ProgramEnd end =
      nestling({"run", kernel_path("endless-loop"), "--cpus", "2", "--timeout", "500ms"});
  expect_exit_code(end, 124);
  expect_contains(end.errors, "not done within 500 ms");
}

TEST_F(SeveralCpus, NeedInterruptControllers) {
  if (is_arm64()) {
    GTEST_SKIP() << "an arm64 machine always has an interrupt controller";
  }
  const ProgramEnd end = run("smp", {"--cpus", "2", "--irqchip", "off"});
  expect_exit_code(end, 64);
  expect_contains(end.errors, "2 CPUs without interrupt controllers");
}

TEST(NumberOfCpus, IsCheckedBeforeAnythingElse) {
  for (const std::string count : {"0", "256", "-1", "two"}) {
    const ProgramEnd end = nestling({"run", kernel_path("smp"), "--cpus", count});
    expect_exit_code(end, 64);
    expect_contains(end.errors, "--cpus: give 1 to 255");
  }
}

}  // namespace
}  // namespace nestling::testing
