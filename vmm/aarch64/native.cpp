// What an arm64 host's machines are.
#include "vmm/native.h"

#include "vmm/kvm_api.h"

namespace nestling {

Architecture native_architecture() { return Architecture::kAarch64; }

Stage2Kind native_stage2() { return Stage2Kind::kAArch64FourLevels; }

unsigned guest_address_bits(const KvmSystem& kvm) {
  // A host that does not tell has 40 (KVM API, "KVM_CREATE_VM").
  constexpr unsigned kOfOldHosts = 40;
  const int named = kvm.extension(KVM_CAP_ARM_VM_IPA_SIZE);
  return named > 0 ? static_cast<unsigned>(named) : kOfOldHosts;
}

unsigned long vm_type(const KvmSystem& kvm) {
  // All the bits of guest-physical address that the host has. One that does not tell has 40, which
  // is what 0 asks for.
  return KVM_VM_TYPE_ARM_IPA_SIZE(
      static_cast<unsigned long>(kvm.extension(KVM_CAP_ARM_VM_IPA_SIZE)));
}

}  // namespace nestling
