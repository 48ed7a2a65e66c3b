// ExitHandler: decides what an exit means: a device's business, or the end of the run. Knows no
// KVM.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "devices/bus.h"
#include "vmm/exit.h"
#include "vmm/verdict.h"

namespace nestling {

/// What happens on an access that no device claims: it reads all ones and is counted; and then?
enum class UnclaimedPolicy : std::uint8_t { kGoOn, kStop };

/// Any vCPU thread may call handle().
class ExitHandler {
 public:
  /// The buses must outlive this.
  ExitHandler(const PortBus& ports, const MmioBus& mmio, UnclaimedPolicy policy)
      : ports_(ports), mmio_(mmio), policy_(policy) {}

  /// Serves the exit; for reads, fills in what the guest will see. Nothing when the vCPU can run
  /// on, else the verdict, whose reason does not yet say where in the guest it happened.
  [[nodiscard]] std::optional<Verdict> handle(const Exit& exit);

  /// Accesses so far that no device claimed.
  [[nodiscard]] std::uint64_t unclaimed_count() const { return unclaimed_count_; }

 private:
  std::optional<Verdict> on(const PortExit& exit);
  std::optional<Verdict> on(const MmioExit& exit);
  static std::optional<Verdict> on(const HaltExit& exit);
  static std::optional<Verdict> on(const ShutdownExit& exit);
  static std::optional<Verdict> on(const SystemEventExit& exit);
  static std::optional<Verdict> on(const InternalErrorExit& exit);
  static std::optional<Verdict> on(const FailEntryExit& exit);
  static std::optional<Verdict> on(const MemoryFaultExit& exit);
  static std::optional<Verdict> on(const InterruptedExit& exit);
  static std::optional<Verdict> on(const UnknownExit& exit);

  const PortBus& ports_;
  const MmioBus& mmio_;
  UnclaimedPolicy policy_;
  std::atomic<std::uint64_t> unclaimed_count_ = 0;
};

}  // namespace nestling
