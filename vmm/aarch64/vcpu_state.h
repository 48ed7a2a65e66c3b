// Makes a vCPU what the machine needs, loads its registers, and reads them back for reports.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "boot/aarch64/entry_state.h"
#include "vmm/aarch64/cpu_state.h"
#include "vmm/aarch64/register_id.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

namespace nestling::aarch64 {

/// Whether a vCPU runs from the start or waits for PSCI CPU_ON.
enum class InitialPower : std::uint8_t { kOn, kOff };

/// Gives every vCPU the host's own processor model and PSCI, and all but the first are off. Fails
/// with kHostRefused.
[[nodiscard]] Result<void> initialize(const Vm& vm, std::span<const Vcpu> vcpus);

/// Loads every register that `entry` names. Fails with kHostRefused.
[[nodiscard]] Result<void> set_entry_state(const Vcpu& vcpu, const EntryState& entry);

/// The registers as they are between two runs. Fails with kHostRefused.
[[nodiscard]] Result<CpuState> read_cpu_state(const Vcpu& vcpu);

/// Fails with kHostRefused where KVM has no such register or refuses the value.
[[nodiscard]] Result<std::uint64_t> read_register(const Vcpu& vcpu, RegisterId id);
[[nodiscard]] Result<void> write_register(const Vcpu& vcpu, RegisterId id, std::uint64_t value);

/// The one that instructions use as SP.
[[nodiscard]] RegisterId stack_pointer(const CpuState& cpu);

/// V0 to V31 (`number`), little-endian. Fail as read_register() does.
using VectorBytes = std::array<std::byte, 16>;
[[nodiscard]] Result<VectorBytes> read_vector(const Vcpu& vcpu, std::uint64_t number);
[[nodiscard]] Result<void> write_vector(const Vcpu& vcpu, std::uint64_t number,
                                        const VectorBytes& bytes);

}  // namespace nestling::aarch64
