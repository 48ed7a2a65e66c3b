// KvmMemoryProbes: asks this host what its page faults and its KVM really do.
#pragma once

#include "vmm/kvm_system.h"
#include "vmm/memory/memory_plan.h"

namespace nestling {

class KvmMemoryProbes final : public MemoryProbes {
 public:
  /// `kvm` must outlive this.
  explicit KvmMemoryProbes(const KvmSystem& kvm) : kvm_(kvm) {}

  [[nodiscard]] Result<std::unique_ptr<PageFaultSource>> page_faults() override;
  /// Takes as long as a small guest: a few milliseconds.
  [[nodiscard]] Result<bool> gives_memory_faults() override;

 private:
  const KvmSystem& kvm_;
};

}  // namespace nestling
