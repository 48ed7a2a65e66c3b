// VcpuRunner: the loop of one vCPU: run, handle the exit, until the run is decided.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "addrspace/guest_memory.h"
#include "vmm/exit.h"
#include "vmm/exit_handler.h"
#include "vmm/exit_record.h"
#include "vmm/exit_trace.h"
#include "vmm/halt_counter.h"
#include "vmm/memory/run_gate.h"
#include "vmm/vcpu.h"
#include "vmm/verdict_box.h"

namespace nestling {

/// Runs one vCPU on whichever thread calls run(). kick(), ask_if_stuck() and stuck_since() may be
/// called from any thread at any time; everything else before or after run().
class VcpuRunner final : private RunGate::Seat, private StoppedAccess {
 public:
  /// What a vCPU's runner works with; all of it must outlive the runner.
  struct Surroundings {
    ExitHandler& handler;
    VerdictBox& verdicts;
    RunGate& gate;
    /// The guest's.
    GuestMemory& memory;
    /// Null for no trace.
    ExitTrace* trace = nullptr;
  };

  /// Takes its seat at the gate.
  VcpuRunner(Vcpu vcpu, const Surroundings& surroundings)
      : vcpu_(std::move(vcpu)),
        handler_(surroundings.handler),
        verdicts_(surroundings.verdicts),
        gate_(surroundings.gate),
        memory_(surroundings.memory),
        trace_(surroundings.trace) {
    gate_.add(*this);
  }

  /// Runs the guest until the run is decided, by this vCPU's exits or by anybody else.
  /// `start` is the zero of the trace's clock.
  void run(std::chrono::steady_clock::time_point start);

  /// Makes run() look up from the guest soon, wherever it is. No kick is ever lost.
  void kick();

  /// Asks the vCPU, which must be kicked afterwards, to find out whether anything but a device can
  /// still wake it. `round` is a number above the last one asked.
  void ask_if_stuck(std::uint64_t round) { asked_round_ = round; }
  /// The first of the rounds in a row, up to now, that found it stuck, without it having run in
  /// between as far as counts_halts(); nothing when the last one did not, or was not answered yet.
  [[nodiscard]] std::optional<std::uint64_t> stuck_since() const;
  /// Whether the host tells a vCPU that slept on from one that was woken and sleeps again.
  [[nodiscard]] bool counts_halts() const { return counts_halts_; }

  /// True on the thread that is in run().
  [[nodiscard]] bool runs_on_this_thread();

  /// True when the exit that decided the run was this vCPU's.
  [[nodiscard]] bool decided_the_run() const { return decided_the_run_; }
  [[nodiscard]] const ExitCounts& exit_counts() const { return exit_counts_; }
  [[nodiscard]] const RecentExits& recent_exits() const { return recent_exits_; }
  [[nodiscard]] Vcpu& vcpu() { return vcpu_; }

 private:
  void kick_out() override { kick(); }
  [[nodiscard]] Result<void> take_back(Direction direction) override;
  [[nodiscard]] std::optional<Parts> parts(const MmioExit& exit) override;
  [[nodiscard]] std::optional<Whole> whole() override;
  [[nodiscard]] Result<void> complete(const Whole& whole) override;
  [[nodiscard]] bool step(std::chrono::steady_clock::time_point start);
  void answer_requests();
  void look_whether_stuck(std::uint64_t round);
  [[nodiscard]] bool has_slept_on(std::optional<std::uint64_t> halts) const;

  Vcpu vcpu_;
  ExitHandler& handler_;
  VerdictBox& verdicts_;
  RunGate& gate_;
  GuestMemory& memory_;
  ExitTrace* trace_;

  ExitCounts exit_counts_{};
  RecentExits recent_exits_;
  bool decided_the_run_ = false;

  std::mutex thread_mutex_;
  std::optional<pthread_t> thread_;  // while in run()

  std::atomic<std::uint64_t> asked_round_ = 0;
  std::atomic<std::uint64_t> answered_round_ = 0;
  std::atomic<std::uint64_t> stuck_since_ = 0;  // 0: not stuck
  std::atomic<bool> counts_halts_ = false;
  HaltCounter halt_counter_;
  std::optional<std::uint64_t> halts_;  // when it was found stuck last
};

/// The signal that takes a vCPU thread out of KVM_RUN. Installs its empty handler; call once before
/// the first run().
void install_kick_signal();

}  // namespace nestling
