// Each way a run can end, brought about with a real guest: its exit code and its words.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/program/program_test.h"
#include "tests/support/temporary_folder.h"

namespace nestling::testing {
namespace {

class VerdictOfRun : public GuestTest {
 protected:
  /// Runs endless-loop and sends it `signal` once it loops.
  static ProgramEnd signalled(int signal) {
    ProgramCall call;
    call.path = program_path();
    call.arguments = run_arguments("endless-loop");
    call.signal = ProgramCall::Signal{.when_output_has = "looping\n", .number = signal};
    return end_of(call);
  }
};

TEST_F(VerdictOfRun, IsTheGuestsOwnStatusUpTo63) {
  for (const int status : {0, 1, 62, 63}) {
    const std::string text = std::to_string(status);
    const ProgramEnd end = run("exit-status", {"--cmdline", "status=" + text});
    expect_exit_code(end, status);
    expect_contains(end.errors, "nestling: exit status " + text + " after ");
  }
}

TEST_F(VerdictOfRun, ShowsALargerStatusAs63AndExactlyInTheReport) {
  const TemporaryFolder folder;
  const std::string report = folder.file("report.json");
  const ProgramEnd end = run("exit-status", {"--cmdline", "status=0xfffffffe", "--json", report});
  expect_exit_code(end, 63);
  expect_contains(end.errors, "exit status 4294967294");
  expect_contains(file_contents(report), "\"guest_status\": 4294967294");
  expect_contains(file_contents(report), "\"exit_code\": 63");
}

TEST_F(VerdictOfRun, ShiftsTheStatusInTheStyleOfQemu) {
  expect_exit_code(run("exit-status", {"--cmdline", "status=5", "--exit-code-style", "qemu"}), 11);
}

TEST(VerdictOfUsage, Is64) {
  expect_exit_code(nestling({}), 64);
  expect_exit_code(nestling({"run"}), 64);
  expect_exit_code(nestling({"run", kernel_path("hello"), "--no-such-option"}), 64);
}

TEST(VerdictOfHelp, IsSuccess) {
  const ProgramEnd end = nestling({"run", "--help"});
  expect_exit_code(end, 0);
  expect_contains(end.output, "--timeout");
}

/// A copy of the program and of one kernel where every user can get at them.
class WithoutPermission : public ::testing::Test {
 protected:
  static constexpr unsigned kNobody = 65534;

  void SetUp() override {
    struct stat status {};
    if (geteuid() != 0) {
      GTEST_SKIP() << "only root can become a user without permission";
    }
    if (stat("/dev/kvm", &status) != 0) {
      GTEST_SKIP() << "there is no /dev/kvm";
    }
    if ((status.st_mode & S_IRWXO) != 0) {
      GTEST_SKIP() << "every user may open /dev/kvm";
    }
    std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
    std::filesystem::copy_file(program_path(), folder_.file("nestling"));
    std::filesystem::copy_file(kernel_path("hello"), folder_.file("hello"));
  }

  const TemporaryFolder folder_;
};

TEST_F(WithoutPermission, ToUseKvmIs69AndSaysWhatToDo) {
  ProgramCall call;
  call.path = folder_.file("nestling");
  call.arguments = {"run", folder_.file("hello")};
  call.user = kNobody;
  const ProgramEnd end = end_of(call);
  expect_exit_code(end, 69);
  expect_contains(end.errors, "/dev/kvm: Permission denied");
  expect_contains(end.errors, "To mend it: ");
}

TEST_F(VerdictOfRun, Is71WhenTheHostRefusesOutput) {
  const ProgramEnd full = run("hello", {"--console", "file:/dev/full"});
  expect_exit_code(full, 71);
  expect_contains(full.errors, "No space left on device");
  const ProgramEnd missing = run("hello", {"--console", "file:/no/such/folder/file"});
  expect_exit_code(missing, 71);
  expect_contains(missing.errors, "/no/such/folder/file");
}

TEST_F(VerdictOfRun, Is80ForATripleFaultAndSaysWhere) {
  const ProgramEnd end = run("crash");
  expect_exit_code(end, 80);
  EXPECT_EQ(end.output, "");
  expect_contains(end.errors,
                  is_arm64() ? "nestling: exception without a handler" : "nestling: triple fault");
  if (std::filesystem::exists("/sys/module/kvm_amd")) {
    // There KVM resets a CPU that shut down: where it was is lost, and the verdict must say so.
    expect_contains(end.errors, "does not keep the registers of a CPU that shut down");
    return;
  }
  expect_contains(end.errors, "in crash_now+0x");
  expect_contains(end.errors, is_arm64() ? "undefined instruction" : "#UD (ud2) with no handler");
  std::size_t at = end.errors.find("backtrace");
  for (const std::string function : {"crash_now+", "inner+", "outer+", "kernel_main("}) {
    at = end.errors.find(function, at);
    ASSERT_NE(at, std::string::npos) << function << " in order in the backtrace of:\n"
                                     << end.errors;
  }
}

TEST_F(VerdictOfRun, Is80ForAReset) {
  const std::vector<std::string> kernels =
      is_arm64() ? std::vector<std::string>{"reset-psci"}
                 : std::vector<std::string>{"reset-i8042", "reset-cf9"};
  for (const std::string& kernel : kernels) {
    const ProgramEnd end = run(kernel);
    expect_exit_code(end, 80);
    expect_contains(end.errors, "reset");
  }
}

TEST_F(VerdictOfRun, IsSuccessForAPowerOff) {
  if (!has_kernel("power-off-psci")) {
    return;
  }
  const ProgramEnd end = run("power-off-psci");
  expect_exit_code(end, 0);
  expect_contains(end.errors, "power off");
}

TEST_F(VerdictOfRun, Is81ForAPanic) {
  const ProgramEnd end = run("panic");
  expect_exit_code(end, 81);
  EXPECT_EQ(end.output, "panic: on purpose\n");
  expect_contains(end.errors, "panic");
}

TEST_F(VerdictOfRun, Is82ForAHaltWithInterruptsOff) {
  const ProgramEnd end = run("hang");
  expect_exit_code(end, 82);
  expect_contains(end.errors, is_arm64() ? "halted" : "halted with interrupts off");
  expect_contains(end.errors, "halt_forever");
}

TEST_F(VerdictOfRun, Is82ForAHaltThatNothingCanEnd) { expect_exit_code(run("hang-sti"), 82); }

TEST_F(VerdictOfRun, Is82ForAHaltThatNothingCanEndWithAnIrqchip) {
  expect_exit_code(run("hang-irqchip"), 82);
}

TEST_F(VerdictOfRun, Is82ForAHaltWithInterruptsOffWithAnIrqchip) {
  expect_exit_code(run("hang", {"--irqchip", "on"}), 82);
}

TEST_F(VerdictOfRun, Is83ForAnUnclaimedAddressWhenStrict) {
  const ProgramEnd end = run("unclaimed-mmio", {"--strict"});
  expect_exit_code(end, 83);
  expect_contains(end.errors, "unclaimed 4-byte write to address 0xe0000000");
  expect_contains(end.errors, "kernel_main");
}

TEST_F(VerdictOfRun, Is83ForAnUnclaimedPortWhenStrict) {
  if (!has_kernel("unclaimed-port")) {
    return;
  }
  const ProgramEnd end = run("unclaimed-port", {"--strict"});
  expect_exit_code(end, 83);
  expect_contains(end.errors, "unclaimed 1-byte write to port 0x1234");
  expect_contains(end.errors, "kernel_main");
}

TEST_F(VerdictOfRun, Is124WhenTheTimeIsOver) {
  ProgramCall call;
  call.path = program_path();
  call.arguments = {"run", kernel_path("endless-loop"), "--timeout", "300ms"};
  const ProgramEnd end = end_of(call);
  expect_exit_code(end, 124);
  EXPECT_EQ(end.output, "looping\n");
  expect_contains(end.errors, "timeout");
}

TEST_F(VerdictOfRun, Is130WhenTheUserInterruptsIt) {
  const ProgramEnd end = signalled(SIGINT);
  expect_exit_code(end, 130);
  EXPECT_EQ(end.output, "looping\n");
  expect_contains(end.errors, "interrupted");
}

TEST_F(VerdictOfRun, Is130WhenItIsTerminated) { expect_exit_code(signalled(SIGTERM), 130); }

}  // namespace
}  // namespace nestling::testing
