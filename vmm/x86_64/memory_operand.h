// The memory operand of an instruction: a decoder for the common ones, which says nothing of
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/range.h"
#include "vmm/exit.h"
#include "vmm/x86_64/cpu_state.h"

namespace nestling::x86_64 {

/// The longest instruction there is; Intel SDM volume 2, "Instruction Format".
inline constexpr std::size_t kMaxInstructionSize = 15;

struct MemoryOperand {
  std::uint8_t instruction_size = 0;  ///< bytes
  /// Linear, with the segment's base, by the registers given: they are those before the
  /// instruction, or those after it where it does not change the ones that its address is made of.
  GuestVirtAddr address;
  /// A string instruction with a REP prefix, which the processor can leave in the middle.
  bool repeats = false;
};

/// Decodes the instruction of 64-bit code that `bytes` start with, which stands at `start`. Nothing
/// for one that has no memory operand, that touches memory in two places and not in `direction`'s
/// way, or that this does not know (vectors with VEX, the stack, 32-bit addresses).
[[nodiscard]] std::optional<MemoryOperand> memory_operand(std::span<const std::byte> bytes,
                                                          GuestVirtAddr start, const CpuState& cpu,
                                                          Direction direction);

}  // namespace nestling::x86_64
