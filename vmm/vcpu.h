// Vcpu: one virtual CPU: runs until the next typed exit, and can be stopped from another thread.
#pragma once

#include <cstdint>
#include <utility>

#include "addrspace/host_mapping.h"
#include "base/file_descriptor.h"
#include "base/result.h"
#include "vmm/exit.h"

struct kvm_run;

namespace nestling {

/// Owns a vCPU's descriptor and the area it shares with KVM. One thread at a time runs it and reads
/// or sets its state; any thread may call set_immediate_exit().
class Vcpu {
 public:
  Vcpu(std::uint32_t id, UniqueFd fd, HostMapping run_area)
      : id_(id), fd_(std::move(fd)), run_area_(std::move(run_area)) {}

  /// Runs the guest until it exits. Data of the last port or MMIO exit is given to the guest first.
  /// InterruptedExit after a signal, or at once while immediate exit is set.
  /// Fails with kHostRefused when KVM_RUN itself fails.
  [[nodiscard]] Result<Exit> run();

  /// Gives the guest the data of the last MMIO exit, and moves it behind the instruction, without
  /// running it. Immediate exit is on afterwards, so that a kick that came meanwhile is not lost.
  /// Fails with kHostRefused.
  [[nodiscard]] Result<void> finish_exit();

  enum class ImmediateExit : std::uint8_t { kOff = 0, kOn = 1 };
  /// While on, run() returns without executing guest instructions.
  void set_immediate_exit(ImmediateExit value);

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  [[nodiscard]] kvm_run& shared() const;
  [[nodiscard]] Exit decode() const;

  std::uint32_t id_;
  UniqueFd fd_;
  HostMapping run_area_;
};

}  // namespace nestling
