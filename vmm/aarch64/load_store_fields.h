// What the encodings of A64 loads and stores share: signed fields, the base, the index.
#pragma once

#include <cstdint>

#include "addrspace/aarch64/stage1_format.h"
#include "vmm/aarch64/cpu_state.h"

namespace nestling::aarch64 {

/// `count` bits from bit `first` on, as a signed number.
[[nodiscard]] constexpr std::uint64_t signed_field(std::uint64_t value, unsigned first,
                                                   unsigned count) {
  const std::uint64_t sign = 1ULL << (count - 1);
  return (stage1::field(value, first, count) ^ sign) - sign;
}

[[nodiscard]] constexpr bool matches(std::uint32_t instruction, std::uint32_t mask,
                                     std::uint32_t bits) {
  return (instruction & mask) == bits;
}

/// Register Rn, the stack pointer among them.
[[nodiscard]] inline std::uint64_t base(std::uint32_t instruction, const CpuState& cpu) {
  const std::uint64_t number = stage1::field(instruction, 5, 5);
  return number == 31 ? cpu.sp() : cpu.x.at(number);
}

/// Register Rm, cut and extended as the option says, and shifted by `scale` where the instruction
/// asks for that.
[[nodiscard]] inline std::uint64_t scaled_index(std::uint32_t instruction, const CpuState& cpu,
                                                unsigned scale) {
  const std::uint64_t number = stage1::field(instruction, 16, 5);
  std::uint64_t value = number == 31 ? 0 : cpu.x.at(number);
  switch (stage1::field(instruction, 13, 3)) {
    case 0b010:
      value = stage1::field(value, 0, 32);
      break;
    case 0b110:
      value = signed_field(value, 0, 32);
      break;
    default:
      break;
  }
  const bool is_scaled = stage1::field(instruction, 12, 1) != 0;
  return value << (is_scaled ? scale : 0);
}

}  // namespace nestling::aarch64
