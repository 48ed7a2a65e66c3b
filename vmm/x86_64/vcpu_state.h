// Loads a vCPU's registers before its first instruction, and reads them back for reports.
#pragma once

#include "base/log.h"
#include "base/result.h"
#include "boot/x86_64/entry_state.h"
#include "vmm/vcpu.h"
#include "vmm/x86_64/cpu_state.h"
#include "vmm/x86_64/cpuid.h"

namespace nestling::x86_64 {

/// Gives the vCPU its CPUID table. Fails with kHostRefused.
[[nodiscard]] Result<void> set_cpuid(const Vcpu& vcpu, const CpuidTable& table);

/// Loads every register that `entry` names. Fails with kHostRefused.
[[nodiscard]] Result<void> set_entry_state(const Vcpu& vcpu, const EntryState& entry);

/// Makes KVM deliver interrupts between processors to all vCPUs there are, of which `any` is one:
/// it knows who is there from the last time that a local APIC changed, and creating a vCPU is none.
/// Needed with several vCPUs and the in-kernel interrupt controllers. Fails with kHostRefused.
[[nodiscard]] Result<void> refresh_apic_map(const Vcpu& any);

/// Sets the MSRs that firmware would have set. One that the host refuses is told to `log` and left
/// as it was: guests live without it.
void set_boot_msrs(const Vcpu& vcpu, const Log& log);

/// The registers as they are between two runs. Fails with kHostRefused.
[[nodiscard]] Result<CpuState> read_cpu_state(const Vcpu& vcpu);

}  // namespace nestling::x86_64
