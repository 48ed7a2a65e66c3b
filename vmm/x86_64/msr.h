// One model-specific register at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "vmm/vcpu.h"

namespace nestling::x86_64 {

/// The vCPU's MSR number `index`, or nothing when the host does not tell.
[[nodiscard]] std::optional<std::uint64_t> read_msr(const Vcpu& vcpu, std::uint32_t index);

/// False when the host refuses.
[[nodiscard]] bool write_msr(const Vcpu& vcpu, std::uint32_t index, std::uint64_t value);

}  // namespace nestling::x86_64
