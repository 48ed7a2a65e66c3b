// Just enough decoding to recognise instructions that always, or now, raise an exception.
#include "vmm/x86_64/certain_fault.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <variant>

#include <fmt/core.h>

#include "vmm/x86_64/page_walk_text.h"

namespace nestling::x86_64 {

namespace {

constexpr std::size_t kMaxInstruction = 15;

/// An instruction's start, after its prefixes.
struct Decoded {
  std::span<const std::uint8_t> opcode;  // and what follows it
  std::uint8_t rex = 0;
  bool operand_prefix = false;
};

bool is_legacy_prefix(std::uint8_t byte) {
  constexpr std::array<std::uint8_t, 10> kPrefixes = {0x66, 0x67, 0x2e, 0x36, 0x3e,
                                                      0x26, 0x64, 0x65, 0xf2, 0xf3};
  return std::find(kPrefixes.begin(), kPrefixes.end(), byte) != kPrefixes.end();
}

Decoded skip_prefixes(std::span<const std::uint8_t> bytes, CodeSize code_size) {
  Decoded decoded;
  while (!bytes.empty() && is_legacy_prefix(bytes.front())) {
    decoded.operand_prefix = decoded.operand_prefix || bytes.front() == 0x66;
    bytes = bytes.subspan(1);
  }
  if (code_size == CodeSize::k64 && !bytes.empty() && (bytes.front() & 0xf0) == 0x40) {
    decoded.rex = bytes.front();
    bytes = bytes.subspan(1);
  }
  decoded.opcode = bytes;
  return decoded;
}

std::uint64_t register_value(const CpuState& cpu, std::size_t number) {
  const std::array<std::uint64_t, 16> values = {
      cpu.rax, cpu.rcx, cpu.rdx, cpu.rbx, cpu.rsp, cpu.rbp, cpu.rsi, cpu.rdi,
      cpu.r8,  cpu.r9,  cpu.r10, cpu.r11, cpu.r12, cpu.r13, cpu.r14, cpu.r15};
  return values.at(number);
}

/// DIV and IDIV by a register: opcodes F6 and F7 with /6 and /7, Intel SDM volume 2.
bool divides_by_zero(const CpuState& cpu, const Decoded& decoded, CodeSize code_size) {
  if (decoded.opcode.size() < 2 || (decoded.opcode[0] & 0xfe) != 0xf6) {
    return false;
  }
  const std::uint8_t modrm = decoded.opcode[1];
  if (modrm < 0xc0 || ((modrm >> 3) & 6) != 6) {
    return false;
  }
  const std::size_t number = (modrm & 7U) | ((decoded.rex & 1U) << 3);
  if (decoded.opcode[0] == 0xf6) {
    // Without REX, numbers 4 to 7 are AH, CH, DH, BH.
    const bool high = decoded.rex == 0 && number >= 4;
    const std::uint64_t value = register_value(cpu, high ? number - 4 : number);
    return ((high ? value >> 8 : value) & 0xff) == 0;
  }
  const bool is_16 = decoded.operand_prefix != (code_size == CodeSize::k16);
  const std::uint64_t mask = (decoded.rex & 8) != 0 ? ~0ULL : is_16 ? 0xffff : 0xffff'ffff;
  return (register_value(cpu, number) & mask) == 0;
}

std::optional<CertainFault> two_byte_opcode(std::uint8_t second) {
  switch (second) {
    case 0x0b:
      return CertainFault{kInvalidOpcode, "ud2"};
    case 0xb9:
      return CertainFault{kInvalidOpcode, "ud1"};
    case 0xff:
      return CertainFault{kInvalidOpcode, "ud0"};
    default:
      return std::nullopt;
  }
}

std::optional<CertainFault> by_instruction(const GuestView& view,
                                           std::span<const std::uint8_t> bytes) {
  const Decoded decoded = skip_prefixes(bytes, view.code_size());
  if (decoded.opcode.empty()) {
    return std::nullopt;
  }
  const std::span<const std::uint8_t> opcode = decoded.opcode;
  const std::uint64_t io_privilege = (view.cpu().rflags >> 12) & 3;
  switch (opcode[0]) {
    case 0x0f:
      return opcode.size() > 1 ? two_byte_opcode(opcode[1]) : std::nullopt;
    case 0xcc:
      return CertainFault{kBreakpoint, "int3"};
    case 0xf1:
      return CertainFault{kDebug, "int1"};
    case 0xcd:
      if (opcode.size() > 1) {
        return CertainFault{opcode[1], fmt::format("int {:#x}", opcode[1])};
      }
      return std::nullopt;
    case 0xf4:
      if (view.privilege_level() != 0) {
        return CertainFault{kGeneralProtection, "hlt outside ring 0"};
      }
      return std::nullopt;
    case 0xfa:
    case 0xfb:
      if (view.privilege_level() > io_privilege) {
        return CertainFault{kGeneralProtection, opcode[0] == 0xfa ? "cli without I/O privilege"
                                                                  : "sti without I/O privilege"};
      }
      return std::nullopt;
    default:
      break;
  }
  if (divides_by_zero(view.cpu(), decoded, view.code_size())) {
    return CertainFault{kDivideError, "division by zero"};
  }
  return std::nullopt;
}

/// A fetch that fails with an exception; one that fails because tables lead nowhere has none.
std::optional<CertainFault> by_fetch(GuestView& view) {
  const GuestWalk walk = view.walk(view.instruction(), AccessKind::kExecute);
  if (walk.outcome || !std::holds_alternative<PagingFault>(walk.outcome.error())) {
    return std::nullopt;
  }
  const auto& fault = std::get<PagingFault>(walk.outcome.error());
  return CertainFault{fault.kind == PagingFault::Kind::kPageFault ? kPageFault : kGeneralProtection,
                      fmt::format("RIP: {}", describe(view, walk))};
}

}  // namespace

std::string vector_name(std::uint8_t vector) {
  constexpr std::array<std::string_view, 22> kNames = {
      "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
      "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
  if (vector < kNames.size() && !kNames.at(vector).empty()) {
    return std::string(kNames.at(vector));
  }
  return fmt::format("vector {:#x}", vector);
}

std::optional<CertainFault> certain_fault(GuestView& view) {
  if (auto fault = by_fetch(view)) {
    return fault;
  }
  std::array<std::uint8_t, kMaxInstruction> bytes{};
  const std::size_t count = view.read(view.instruction(), std::as_writable_bytes(std::span(bytes)));
  return by_instruction(view, std::span(bytes).first(count));
}

}  // namespace nestling::x86_64
