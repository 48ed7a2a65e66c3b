// What an x86_64 host's machines are.
#include "vmm/native.h"

#include "vmm/x86_64/paging_features.h"

namespace nestling {

Architecture native_architecture() { return Architecture::kX86_64; }

Stage2Kind native_stage2() { return Stage2Kind::kEpt4; }

unsigned guest_address_bits(const KvmSystem& /*kvm*/) {
  return x86_64::paging_features().physical_address_bits;
}

unsigned long vm_type(const KvmSystem& /*kvm*/) { return 0; }

}  // namespace nestling
