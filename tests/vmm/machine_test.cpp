// Machines on the host's KVM: stopped from outside at any moment, and found out when they hang.
#include "vmm/machine.h"

#include <atomic>
#include <span>
#include <thread>

#include <gtest/gtest.h>

#include "boot/flat_image.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_room_listener.h"
#include "tests/support/tiny_programs.h"

namespace nestling {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

using Code = std::span<const std::byte>;

class MachineTest : public testing::Test {
 protected:
  void SetUp() override {
    auto kvm = KvmSystem::open();
    if (!kvm) {
      GTEST_SKIP() << kvm.error().message;
    }
    kvm_.emplace(*std::move(kvm));
  }

  [[nodiscard]] std::unique_ptr<Machine> machine(Code code, const MachineConfig& config) {
    const auto image = make_flat_image(code, programs_.address, programs_.architecture);
    EXPECT_TRUE(image);
    auto made = Machine::create(*kvm_, *image, config,
                                {.console = console_, .console_room = room_, .log = log_});
    EXPECT_TRUE(made) << made.error().message;
    return *std::move(made);
  }

  const TinyPrograms programs_ = tiny_programs();
  std::optional<KvmSystem> kvm_;
  FakeByteSink console_;
  FakeRoomListener room_;
  Log log_{Verbosity::kNormal};
};

TEST_F(MachineTest, StopsASpinningVcpuAtAnyMoment) {
  // From before the first instruction to well inside the loop.
  for (int round = 0; round < 40; ++round) {
    const auto spinning = machine(programs_.spin, {.memory = {.size = 4 << 20}});
    std::thread stopper([&] {
      std::this_thread::sleep_for(round * 50us);
      spinning->stop({.kind = VerdictKind::kTimeout, .reason = "enough"});
    });
    EXPECT_EQ(spinning->run(steady_clock::now()).kind, VerdictKind::kTimeout);
    stopper.join();
  }
}

TEST_F(MachineTest, KeepsAVerdictThatCameBeforeTheRun) {
  const auto spinning = machine(programs_.spin, {.memory = {.size = 4 << 20}});
  spinning->stop({.kind = VerdictKind::kInterrupted, .reason = "early"});
  EXPECT_EQ(spinning->run(steady_clock::now()).kind, VerdictKind::kInterrupted);
}

TEST_F(MachineTest, LosesNoAccessToInterruptions) {
  const auto writer =
      machine(programs_.write_many, {.memory = {.size = 4 << 20}, .irqchip = Irqchip::kInKernel});
  std::atomic<bool> ended = false;
  std::thread interrupter([&] {
    while (!ended) {
      writer->look_for_hang();  // kicks
    }
  });
  const Verdict verdict = writer->run(steady_clock::now());
  ended = true;
  interrupter.join();
  EXPECT_EQ(verdict.kind, VerdictKind::kGuestExit);
  EXPECT_EQ(verdict.guest_status, 7U);
  EXPECT_EQ(console_.text().size(), 300U);
}

/// Runs `machine` and looks for a hang every few milliseconds, ten seconds at most.
Verdict run_with_hang_checks(Machine& machine) {
  std::atomic<bool> ended = false;
  std::thread watcher([&] {
    const auto give_up = steady_clock::now() + 10s;
    while (!ended && steady_clock::now() < give_up) {
      std::this_thread::sleep_for(20ms);
      machine.look_for_hang();
    }
    machine.stop({.kind = VerdictKind::kTimeout, .reason = "no hang was found"});
  });
  Verdict verdict = machine.run(steady_clock::now());
  ended = true;
  watcher.join();
  return verdict;
}

TEST_F(MachineTest, FindsAHaltedVcpuBehindInterruptControllers) {
  const auto halted = machine(programs_.halt_for_good,
                              {.memory = {.size = 4 << 20}, .irqchip = Irqchip::kInKernel});
  halted->platform().input_ended();
  EXPECT_EQ(run_with_hang_checks(*halted).kind, VerdictKind::kHang);
}

TEST_F(MachineTest, CountsAVcpuThatWasNeverStartedAsStuck) {
  const auto halted =
      machine(programs_.halt_for_good,
              {.memory = {.size = 4 << 20}, .vcpu_count = 2, .irqchip = Irqchip::kInKernel});
  halted->platform().input_ended();
  EXPECT_EQ(run_with_hang_checks(*halted).kind, VerdictKind::kHang);
}

TEST_F(MachineTest, NeverTakesASpinningVcpuForAHang) {
  const auto spinning =
      machine(programs_.spin, {.memory = {.size = 4 << 20}, .irqchip = Irqchip::kInKernel});
  spinning->platform().input_ended();
  std::thread watcher([&] {
    for (int round = 0; round < 10; ++round) {
      std::this_thread::sleep_for(10ms);
      spinning->look_for_hang();
    }
    spinning->stop({.kind = VerdictKind::kTimeout, .reason = "still spinning"});
  });
  EXPECT_EQ(spinning->run(steady_clock::now()).kind, VerdictKind::kTimeout);
  watcher.join();
}

TEST_F(MachineTest, StopsEveryVcpuWhenOneEndsTheRun) {
  const auto writer =
      machine(programs_.write_many,
              {.memory = {.size = 4 << 20}, .vcpu_count = 2, .irqchip = Irqchip::kInKernel});
  EXPECT_EQ(writer->run(steady_clock::now()).guest_status, 7U);
}

}  // namespace
}  // namespace nestling
