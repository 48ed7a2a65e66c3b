// ExitHandler: decides what an exit means: a device's business, or the end of the run. Knows no
// KVM.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "devices/bus.h"
#include "vmm/exit.h"
#include "vmm/memory/memory_exits.h"
#include "vmm/unclaimed_policy.h"
#include "vmm/vcpu_id.h"
#include "vmm/verdict.h"

namespace nestling {

/// Any vCPU thread may call handle().
class ExitHandler {
 public:
  /// All must outlive this. `memory` is asked about an address before the bus is.
  ExitHandler(const PortBus& ports, const MmioBus& mmio, MemoryExits& memory,
              UnclaimedPolicy policy)
      : ports_(ports), mmio_(mmio), memory_(memory), policy_(policy) {}

  /// Serves an exit of `vcpu`; for reads, fills in what the guest will see. Nothing when the vCPU
  /// can run on, else the verdict, whose reason does not yet say where in the guest it happened.
  [[nodiscard]] std::optional<Verdict> handle(VcpuId vcpu, const Exit& exit);

  /// What becomes of a run whose vCPU cannot be run any more, for the reason `error`.
  [[nodiscard]] static Verdict on_run_failure(const Error& error);

  /// Accesses so far that no device claimed.
  [[nodiscard]] std::uint64_t unclaimed_count() const { return unclaimed_count_; }

 private:
  [[nodiscard]] MemoryEvent::Outcome unclaimed_outcome(Direction direction) const;

  std::optional<Verdict> on(VcpuId vcpu, const PortExit& exit);
  std::optional<Verdict> on(VcpuId vcpu, const MmioExit& exit);
  std::optional<Verdict> on_bytes(VcpuId vcpu, const MmioExit& exit);
  std::optional<Verdict> on_bus(VcpuId vcpu, const MmioExit& exit);
  std::optional<Verdict> make(VcpuId vcpu, StoppedAccess& access, StoppedAccess::Whole whole);
  [[nodiscard]] bool may_straddle(const MmioExit& exit) const;
  static std::optional<Verdict> on(VcpuId vcpu, const HaltExit& exit);
  static std::optional<Verdict> on(VcpuId vcpu, const ShutdownExit& exit);
  static std::optional<Verdict> on(VcpuId vcpu, const SystemEventExit& exit);
  std::optional<Verdict> on(VcpuId vcpu, const InternalErrorExit& exit);
  static std::optional<Verdict> on(VcpuId vcpu, const FailEntryExit& exit);
  std::optional<Verdict> on(VcpuId vcpu, const MemoryFaultExit& exit);
  static std::optional<Verdict> on(VcpuId vcpu, const InterruptedExit& exit);
  static std::optional<Verdict> on(VcpuId vcpu, const UnknownExit& exit);
  std::optional<Verdict> on(VcpuId vcpu, const UndecodedAccessExit& exit);

  const PortBus& ports_;
  const MmioBus& mmio_;
  MemoryExits& memory_;
  UnclaimedPolicy policy_;
  std::atomic<std::uint64_t> unclaimed_count_ = 0;
};

}  // namespace nestling
