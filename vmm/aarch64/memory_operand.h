// The memory operand of an A64 instruction, of those that the processor describes to a hypervisor.
#pragma once

#include <cstdint>
#include <optional>

#include "addrspace/range.h"
#include "vmm/aarch64/cpu_state.h"

namespace nestling::aarch64 {

struct MemoryOperand {
  GuestVirtAddr address;
  std::uint8_t size = 0;  ///< bytes: 1, 2, 4 or 8

  friend bool operator==(const MemoryOperand&, const MemoryOperand&) = default;
};

/// Decodes a load or store of one general register without write-back (Arm ARM, "Loads and Stores",
/// and ISV under "ISS encoding for an exception from a Data Abort"), which `cpu` is about to
/// execute. Nothing for any other instruction.
[[nodiscard]] std::optional<MemoryOperand> memory_operand(std::uint32_t instruction,
                                                          const CpuState& cpu);

}  // namespace nestling::aarch64
