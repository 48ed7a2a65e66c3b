// How many bits of guest-physical address an arm64 host gives its guests.
#pragma once

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling::aarch64 {

/// A host that does not tell has 40 (KVM API, "KVM_CREATE_VM").
[[nodiscard]] inline unsigned address_bits(const KvmSystem& kvm) {
  constexpr unsigned kOfOldHosts = 40;
  const int named = kvm.extension(KVM_CAP_ARM_VM_IPA_SIZE);
  return named > 0 ? static_cast<unsigned>(named) : kOfOldHosts;
}

}  // namespace nestling::aarch64
