// OracleVcpu: a real virtual processor whose own page walks tests compare with ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "addrspace/host_mapping.h"
#include "addrspace/x86_64/stage1_format.h"
#include "base/result.h"
#include "vmm/vm.h"

namespace nestling::x86_64 {

/// A VM with RAM from guest-physical 0 and one vCPU with the host's CPU features.
class OracleVcpu {
 public:
  /// `ram_size`: bytes, a multiple of the page size. Fails with kNoKvm where there is no KVM.
  [[nodiscard]] static Result<OracleVcpu> create(std::uint64_t ram_size);

  /// One memory slot: guest memory that somebody else owns.
  struct Slot {
    GuestPhysRange guest;
    std::span<std::byte> host;
  };
  /// The same over `slots`, whose bytes must outlive it; ram() is then empty.
  [[nodiscard]] static Result<OracleVcpu> create_over(std::span<const Slot> slots);

  [[nodiscard]] std::span<std::byte> ram() const { return ram_.bytes(); }
  /// What the vCPU's CPUID says about paging.
  [[nodiscard]] const PagingFeatures& features() const { return features_; }
  /// The bits of CR4 the vCPU can have.
  [[nodiscard]] std::uint64_t cr4_features() const { return cr4_features_; }
  [[nodiscard]] bool has_no_execute() const { return has_no_execute_; }

  /// Loads the control registers and RFLAGS.AC; PAE's top entries are read from memory now.
  [[nodiscard]] Result<void> load(const PagingState& state);
  /// KVM_TRANSLATE: where a supervisor's read at `gva` goes, or nothing when it would fault.
  [[nodiscard]] Result<std::optional<GuestPhysAddr>> translate(GuestVirtAddr gva);

  [[nodiscard]] Vcpu& vcpu() { return vcpu_; }

 private:
  OracleVcpu(Vm vm, Vcpu vcpu) : vm_(std::move(vm)), vcpu_(std::move(vcpu)) {}

  [[nodiscard]] Result<void> give_cpuid(int system);

  HostMapping ram_;
  Vm vm_;
  Vcpu vcpu_;
  PagingFeatures features_;
  std::uint64_t cr4_features_ = 0;
  bool has_no_execute_ = false;
};

}  // namespace nestling::x86_64
