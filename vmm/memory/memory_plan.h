// MemoryPlan: which fault path a run takes on this host, and why.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "vmm/memory/guest_memory_config.h"
#include "vmm/memory/page_fault_source.h"

namespace nestling {

/// What this host really does, asked by doing it: capability bits lie. Each answer is asked for
/// only by a run that needs it.
class MemoryProbes {
 public:
  virtual ~MemoryProbes() = default;

  /// Page faults of ours, those in the kernel included; proven to work on a page of memory. Fails
  /// with kHostRefused, and what to do about it.
  [[nodiscard]] virtual Result<std::unique_ptr<PageFaultSource>> page_faults() = 0;

  /// Whether KVM_RUN ends with KVM_EXIT_MEMORY_FAULT when a guest touches memory that this process
  /// cannot reach, as a guest that tries it says. Fails with kHostRefused or kNoKvm.
  [[nodiscard]] virtual Result<bool> gives_memory_faults() = 0;
};

struct MemoryPlan {
  /// Never kAuto.
  LazyPath path = LazyPath::kHost;
  /// For the user: "nothing needs to see faults".
  std::string reason;
  /// Bytes that one fault populates, from the guest or from the VMM.
  std::uint64_t granule = 4096;
  /// kUffd's.
  std::unique_ptr<PageFaultSource> page_faults;
};

/// Chooses what `config` asks for, or what measures best of what it needs. Fails with kUsage, the
/// reason and what to use instead, when the path asked for cannot be taken.
[[nodiscard]] Result<MemoryPlan> plan_memory(const GuestMemoryConfig& config, MemoryProbes& probes);

}  // namespace nestling
