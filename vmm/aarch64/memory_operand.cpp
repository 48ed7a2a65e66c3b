// Each encoding class by its fixed bits.
#include "vmm/aarch64/memory_operand.h"

#include "vmm/aarch64/load_store_fields.h"

namespace nestling::aarch64 {

namespace {

using stage1::field;

std::optional<MemoryOperand> literal(std::uint32_t instruction, const CpuState& cpu) {
  const std::uint64_t kind = field(instruction, 30, 2);  // 32 bits, 64, 32 signed, a prefetch
  if (kind == 3) {
    return std::nullopt;
  }
  return MemoryOperand{GuestVirtAddr(cpu.pc + 4 * signed_field(instruction, 5, 19)),
                       static_cast<std::uint8_t>(kind == 1 ? 8 : 4)};
}

}  // namespace

std::optional<MemoryOperand> memory_operand(std::uint32_t instruction, const CpuState& cpu) {
  if ((cpu.pstate & kPstateAarch32) != 0) {
    return std::nullopt;
  }
  if (matches(instruction, 0x3f00'0000, 0x1800'0000)) {
    return literal(instruction, cpu);
  }
  const auto scale = static_cast<unsigned>(field(instruction, 30, 2));
  const auto operand = [&](std::uint64_t offset) {
    return MemoryOperand{GuestVirtAddr(base(instruction, cpu) + offset),
                         static_cast<std::uint8_t>(1U << scale)};
  };
  // LDAR, STLR, LDLAR, STLLR; LDAPR.
  if (matches(instruction, 0x3fa0'0000, 0x0880'0000) ||
      matches(instruction, 0x3fff'fc00, 0x38bf'c000)) {
    return operand(0);
  }
  // LDAPUR, STLUR.
  if (matches(instruction, 0x3f20'0c00, 0x1900'0000)) {
    return operand(signed_field(instruction, 12, 9));
  }
  const bool is_prefetch = scale == 3 && field(instruction, 22, 2) == 2;
  if (is_prefetch) {
    return std::nullopt;
  }
  if (matches(instruction, 0x3f00'0000, 0x3900'0000)) {
    return operand(field(instruction, 10, 12) << scale);
  }
  // LDUR, STUR; LDTR, STTR.
  if (matches(instruction, 0x3f20'0400, 0x3800'0000)) {
    return operand(signed_field(instruction, 12, 9));
  }
  if (matches(instruction, 0x3f20'4c00, 0x3820'4800)) {
    return operand(scaled_index(instruction, cpu, scale));
  }
  return std::nullopt;
}

}  // namespace nestling::aarch64
