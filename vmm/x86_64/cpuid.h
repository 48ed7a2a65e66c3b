// CPUID tables for vCPUs: what the host's KVM supports, with identity and topology put right.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling::x86_64 {

using CpuidTable = std::vector<kvm_cpuid_entry2>;

/// Everything the host's KVM can offer a guest. Costs half a millisecond: ask once.
/// Fails with kHostRefused.
[[nodiscard]] Result<CpuidTable> supported_cpuid(const KvmSystem& kvm);

/// Where a vCPU stands in its machine: one package of `vcpu_count` cores with one thread each.
struct CpuPosition {
  std::uint32_t vcpu_id = 0;
  std::uint32_t vcpu_count = 1;
};

/// Whether the machine has local APICs; without them CPUID must not promise what they do.
enum class LocalApic : std::uint8_t { kAbsent, kInKernel, kInKernelWithDeadlineTimer };

/// `supported` as the vCPU at `position` shall see it: its APIC id and topology (leaves 1, 4, 0xb,
/// 0x1f, 0x80000008, 0x8000001d, 0x8000001e), the hypervisor bit, features that depend on an APIC.
/// Intel SDM volume 2, "CPUID"; AMD APM volume 3, appendix E.
[[nodiscard]] CpuidTable cpuid_for(const CpuidTable& supported, CpuPosition position,
                                   LocalApic apic);

}  // namespace nestling::x86_64
