// How arm64 guests end: by PSCI, by exceptions without a handler, by accesses nobody can decode.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "boot/flat_image.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_room_listener.h"
#include "vmm/architecture.h"
#include "vmm/machine.h"

namespace nestling {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr GuestPhysAddr kCode(0x4010'0000);

/// How a guest ended, and what was said of it.
struct Ending {
  Verdict verdict;
  Postmortem postmortem;
};

class ArmMachineKvm : public testing::Test {
 protected:
  void SetUp() override {
    auto kvm = KvmSystem::open();
    if (!kvm) {
      GTEST_SKIP() << kvm.error().message;
    }
    kvm_.emplace(*std::move(kvm));
  }

  /// Runs `code` with hang checks, ten seconds at most.
  Ending run(const std::vector<std::uint32_t>& code, std::uint32_t vcpu_count = 1,
             LazyPath path = LazyPath::kAuto) {
    const auto image =
        make_flat_image(std::as_bytes(std::span(code)), kCode, Architecture::kAarch64);
    EXPECT_TRUE(image);
    MachineConfig config;
    config.memory.size = 4ULL << 20;
    config.memory.path = path;
    if (path == LazyPath::kMmio) {
      config.memory.granule = kPageSize;
    }
    config.vcpu_count = vcpu_count;
    auto made = Machine::create(*kvm_, *image, config,
                                {.console = console_, .console_room = room_, .log = log_});
    EXPECT_TRUE(made) << made.error().message;
    Machine& machine = **made;
    machine.platform().input_ended();
    Ending ending;
    ending.verdict = run_with_hang_checks(machine);
    VcpuRunner& runner = machine.deciding_runner();
    const SymbolTable symbols;
    const std::vector<ExitRecord> exits = runner.recent_exits().list();
    auto postmortem = examine({.vcpu = runner.vcpu(),
                               .memory = machine.ram().memory(),
                               .symbols = symbols,
                               .last_exits = exits,
                               .exit_count = runner.recent_exits().total(),
                               .last_console_line = {}});
    EXPECT_TRUE(postmortem);
    ending.postmortem = *std::move(postmortem);
    return ending;
  }

 private:
  static Verdict run_with_hang_checks(Machine& machine) {
    std::atomic<bool> ended = false;
    std::thread watcher([&] {
      const auto give_up = steady_clock::now() + 10s;
      while (!ended && steady_clock::now() < give_up) {
        std::this_thread::sleep_for(20ms);
        machine.look_for_hang();
      }
      machine.stop({.kind = VerdictKind::kTimeout, .reason = "ten seconds are over"});
    });
    Verdict verdict = machine.run(steady_clock::now());
    ended = true;
    watcher.join();
    return verdict;
  }

  std::optional<KvmSystem> kvm_;
  FakeByteSink console_;
  FakeRoomListener room_;
  Log log_{Verbosity::kNormal};
};

constexpr std::uint32_t kHvc = 0xd400'0002;
constexpr std::uint32_t kBranchToSelf = 0x1400'0000;
constexpr std::uint32_t kUdf = 0;

TEST_F(ArmMachineKvm, TakesPsciSystemOffForAnExitWithStatus0) {
  // mov w0, #0x84000000; movk w0, #8; hvc #0
  const Ending ending = run({0x52b0'8000, 0x7280'0100, kHvc, kBranchToSelf});
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kGuestExit) << ending.verdict.reason;
  EXPECT_EQ(exit_code(ending.verdict), 0);
}

TEST_F(ArmMachineKvm, TakesPsciSystemResetForAReset) {
  // mov w0, #0x84000000; movk w0, #9; hvc #0
  const Ending ending = run({0x52b0'8000, 0x7280'0120, kHvc, kBranchToSelf});
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kReset) << ending.verdict.reason;
}

TEST_F(ArmMachineKvm, StartsAnotherCpuByPsciWithItsContext) {
  const Ending ending = run(
      {
          0x52b8'8000,    // mov w0, #0xc4000000
          0x7280'0060,    // movk w0, #3: CPU_ON
          0xd280'0021,    // mov x1, #1: affinity
          0x1000'0082,    // adr x2, second: where it starts
          0xd280'0123,    // mov x3, #9: its x0
          kHvc,           //
          kBranchToSelf,  //
          0xd2ba'0004,    // second: mov x4, #0xd0000000
          0xb900'0080,    // str w0, [x4]
          kBranchToSelf,
      },
      2);
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kGuestExit) << ending.verdict.reason;
  EXPECT_EQ(ending.verdict.guest_status, 9U);
}

TEST_F(ArmMachineKvm, EndsAtAnExceptionWithoutAHandlerAndNamesIt) {
  const Ending ending = run({0xd280'0540, kUdf});  // mov x0, #42; udf #0
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kTripleFault) << ending.verdict.reason;
  EXPECT_EQ(ending.verdict.reason, "exception without a handler: synchronous exception in EL1");
  EXPECT_EQ(ending.postmortem.shutdown_reason,
            "exception without a handler at 0x40100004: undefined instruction");
  EXPECT_EQ(ending.postmortem.location, "0x40100004");
  const std::string& report = ending.postmortem.report;
  EXPECT_NE(report.find("  x0  000000000000002a"), std::string::npos) << report;
  EXPECT_NE(report.find(" d2800540 [00000000]"), std::string::npos) << report;
  EXPECT_NE(report.find("page walk of pc 0x0000000040100004 (EL1 fetch, MMU off)\n"),
            std::string::npos)
      << report;
}

TEST_F(ArmMachineKvm, NamesAnAbortAndItsAddress) {
  // movz x0, #0x1000, lsl #48; str x0, [x0]
  const Ending ending = run({0xd2e2'0000, 0xf900'0000, kBranchToSelf});
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kTripleFault) << ending.verdict.reason;
  EXPECT_EQ(ending.postmortem.shutdown_reason,
            "exception without a handler at 0x40100004: data abort in EL1: address size fault at "
            "level 0, write, address 0x1000000000000000");
}

TEST_F(ArmMachineKvm, FindsACircleOfExceptions) {
  // msr vbar_el1, xzr; isb; udf #0: nothing is at 0x200, so its fetch is the next exception
  const Ending ending = run({0xd518'c01f, 0xd503'3fdf, kUdf});
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kHang) << ending.verdict.reason;
  EXPECT_EQ(ending.postmortem.hang_reason.find(
                "hang: exceptions for ever at 0x200, the first instruction of the vector: "
                "instruction abort in EL1: "),
            0U)
      << ending.postmortem.hang_reason;
}

TEST_F(ArmMachineKvm, ExplainsADeviceAccessThatCannotBeDecoded) {
  // mov x0, #0x9000000; ldp x1, x2, [x0]
  const Ending ending = run({0xd2a1'2000, 0xa940'0801, kBranchToSelf});
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kUnhandledExit) << ending.verdict.reason;
  EXPECT_EQ(ending.verdict.reason.find("access to 0x9000000, where no RAM is"), 0U)
      << ending.verdict.reason;
  EXPECT_EQ(ending.postmortem.location, "0x40100004");
}

TEST_F(ArmMachineKvm, MakesAFirstAccessAgainWithItsRegistersAsTheyWere) {
  const Ending ending = run(
      {
          0xd2a8'0400,    // mov x0, #0x40200000
          0x9140'0401,    // add x1, x0, #0x1000
          0xf940'0000,    // ldr x0, [x0]: the base is lost once it is loaded
          0x5280'00e7,    // mov w7, #7
          0xb900'0027,    // str w7, [x1]
          0xb940'0029,    // ldr w9, [x1]
          0xaa09'0000,    // orr x0, x0, x9
          0xd2ba'0004,    // mov x4, #0xd0000000
          0xb900'0080,    // str w0, [x4]
          kBranchToSelf,  //
      },
      1, LazyPath::kMmio);
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kGuestExit) << ending.verdict.reason;
  EXPECT_EQ(ending.verdict.guest_status, 7U);
}

TEST_F(ArmMachineKvm, NeverTakesAWaitForTheTimerForAHang) {
  const Ending ending = run({
      0xd53b'e000,  // mrs x0, cntfrq_el0
      0xd51b'e300,  // msr cntv_tval_el0, x0: in one second
      0xd280'0021,  // mov x1, #1
      0xd51b'e321,  // msr cntv_ctl_el0, x1: enabled
      0xd503'207f,  // again: wfi
      0xd53b'e322,  // mrs x2, cntv_ctl_el0
      0x3617'ffc2,  // tbz w2, #2, again: until it says that it fired
      0xd2ba'0004,  // mov x4, #0xd0000000
      0xb900'0081,  // str w1, [x4]
      kBranchToSelf,
  });
  EXPECT_EQ(ending.verdict.kind, VerdictKind::kGuestExit) << ending.verdict.reason;
  EXPECT_EQ(ending.verdict.guest_status, 1U);
}

}  // namespace
}  // namespace nestling
