// The gate: nobody is inside while it is closed, nobody waits for ever, and no kick is lost.
#include "vmm/memory/run_gate.h"

#include <array>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

/// A vCPU that stays inside until it is kicked, as one in an endless loop does.
class FakeVcpu final : public RunGate::Seat {
 public:
  void kick_out() override { kicked_ = true; }

  /// One way in and out. `inside` counts who is inside.
  void pass(RunGate& gate, std::atomic<int>& inside, const std::atomic<bool>& stopping) {
    gate.enter(*this);
    ++inside;
    while (!kicked_.exchange(false) && !stopping) {
      std::this_thread::yield();
    }
    --inside;
    gate.leave(*this);
  }

 private:
  std::atomic<bool> kicked_ = false;
};

TEST(RunGate, KeepsEveryVcpuOutWhileAnyoneHasItClosed) {
  RunGate gate;
  std::array<FakeVcpu, 3> vcpus;
  for (FakeVcpu& vcpu : vcpus) {
    gate.add(vcpu);
  }
  std::atomic<int> inside = 0;
  std::atomic<bool> stopping = false;
  std::vector<std::thread> threads;
  threads.reserve(vcpus.size());
  for (FakeVcpu& vcpu : vcpus) {
    threads.emplace_back([&] {
      while (!stopping) {
        vcpu.pass(gate, inside, stopping);
      }
    });
  }
  std::atomic<int> caught_inside = 0;
  const auto close_often = [&] {
    for (int round = 0; round < 300; ++round) {
      const GateClosed closed(gate);
      caught_inside += inside;
    }
  };
  std::thread other(close_often);
  close_often();
  other.join();
  stopping = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(caught_inside, 0);
}

TEST(RunGate, LetsAVcpuThatIsOutsideCloseItForTheOthers) {
  RunGate gate;
  std::array<FakeVcpu, 2> vcpus;
  for (FakeVcpu& vcpu : vcpus) {
    gate.add(vcpu);
  }
  std::atomic<int> inside = 0;
  std::atomic<bool> stopping = false;
  std::thread other([&] {
    while (!stopping) {
      vcpus[1].pass(gate, inside, stopping);
    }
  });
  for (int round = 0; round < 100; ++round) {
    vcpus[0].kick_out();
    vcpus[0].pass(gate, inside, stopping);
    const GateClosed closed(gate);  // as an exit handler does
    EXPECT_EQ(inside, 0);
  }
  stopping = true;
  other.join();
}

TEST(RunGate, IsOpenAgainForEveryoneWhenTheLastOneOpensIt) {
  RunGate gate;
  FakeVcpu vcpu;
  gate.add(vcpu);
  gate.close();
  gate.close();
  gate.open();
  std::atomic<bool> entered = false;
  std::thread runner([&] {
    gate.enter(vcpu);
    entered = true;
    gate.leave(vcpu);
  });
  std::this_thread::yield();
  EXPECT_FALSE(entered);
  gate.open();
  runner.join();
  EXPECT_TRUE(entered);
}

}  // namespace
}  // namespace nestling
