// What the machines of this build are: like the host. One definition for each architecture.
#pragma once

#include "addrspace/stage2_table.h"
#include "boot/image.h"
#include "vmm/kvm_system.h"

namespace nestling {

[[nodiscard]] Architecture native_architecture();

/// The format of the view of guest memory that the host's hardware would use.
[[nodiscard]] Stage2Kind native_stage2();

/// How many bits of guest-physical address the host gives its guests.
[[nodiscard]] unsigned guest_address_bits(const KvmSystem& kvm);

/// The argument of KVM_CREATE_VM.
[[nodiscard]] unsigned long vm_type(const KvmSystem& kvm);

}  // namespace nestling
