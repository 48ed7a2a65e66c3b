// Prefixes, opcode, ModRM, SIB, displacement, immediate; Intel SDM volume 2, "Instruction Format".
#include "vmm/x86_64/memory_operand.h"

#include <array>
#include <cstring>

namespace nestling::x86_64 {

namespace {

struct Prefixes {
  std::uint8_t rex = 0;
  bool operand_size = false;
  bool repeats = false;
  std::optional<std::uint64_t> segment_base;  // of FS or GS
};

/// Takes bytes off the front of an instruction.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] std::optional<std::uint8_t> peek() const {
    return taken_ < bytes_.size() ? std::optional(std::to_integer<std::uint8_t>(bytes_[taken_]))
                                  : std::nullopt;
  }
  std::optional<std::uint8_t> take() {
    const auto byte = peek();
    taken_ += byte ? 1U : 0U;
    return byte;
  }
  /// A signed number of `Number`'s size, extended to 64 bits.
  template <typename Number>
  std::optional<std::uint64_t> take_signed() {
    Number number{};
    if (bytes_.size() - taken_ < sizeof number) {
      return std::nullopt;
    }
    std::memcpy(&number, &bytes_[taken_], sizeof number);
    taken_ += sizeof number;
    return static_cast<std::uint64_t>(std::int64_t{number});
  }
  [[nodiscard]] bool skip(std::size_t count) {
    taken_ += count;
    return taken_ <= bytes_.size();
  }
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  std::span<const std::byte> bytes_;
  std::size_t taken_ = 0;
};

std::uint64_t register_value(const CpuState& cpu, unsigned number) {
  const std::array values = {cpu.rax, cpu.rcx, cpu.rdx, cpu.rbx, cpu.rsp, cpu.rbp,
                             cpu.rsi, cpu.rdi, cpu.r8,  cpu.r9,  cpu.r10, cpu.r11,
                             cpu.r12, cpu.r13, cpu.r14, cpu.r15};
  return values.at(number & 0xf);
}

/// False when the instruction is none that we take.
bool take_prefixes(Reader& reader, const CpuState& cpu, Prefixes& prefixes) {
  while (const auto byte = reader.peek()) {
    switch (*byte) {
      case 0x66:
        prefixes.operand_size = true;
        break;
      case 0xf2:
      case 0xf3:
        prefixes.repeats = true;
        break;
      case 0x64:
        prefixes.segment_base = cpu.fs.base;
        break;
      case 0x65:
        prefixes.segment_base = cpu.gs.base;
        break;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0xf0:
        break;
      case 0x67:
        return false;
      default:
        if ((*byte & 0xf0) == 0x40) {
          prefixes.rex = *byte;  // the last prefix
          (void)reader.take();
        }
        return true;
    }
    (void)reader.take();
  }
  return false;
}

/// The ModRM byte: which operand; its middle field is part of some opcodes.
struct ModRm {
  std::uint8_t byte = 0;

  [[nodiscard]] unsigned mode() const { return byte >> 6; }
  [[nodiscard]] unsigned extension() const { return (byte >> 3) & 7U; }
  [[nodiscard]] unsigned base() const { return byte & 7U; }
};

/// How many bytes of immediate follow the operand; nothing for an opcode that we do not take.
std::optional<std::size_t> immediate_size(unsigned opcode, ModRm modrm, bool operand_size) {
  const std::size_t full = operand_size ? 2 : 4;
  const unsigned extension = modrm.extension();
  switch (opcode) {
    case 0x69:
    case 0x81:
    case 0xc7:
      return full;
    case 0x6b:
    case 0x80:
    case 0x83:
    case 0xc0:
    case 0xc1:
    case 0xc6:
      return 1;
    case 0xf6:
      return extension < 2 ? 1 : 0;
    case 0xf7:
      return extension < 2 ? full : 0;
    case 0x63:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xfe:
      return 0;
    case 0xff:
      return extension < 2 ? std::optional<std::size_t>(0) : std::nullopt;
    default:
      break;
  }
  const bool is_arithmetic = opcode < 0x40 && (opcode & 7) < 4;
  const bool is_move = opcode >= 0x84 && opcode <= 0x8b;  // and TEST, XCHG
  return is_arithmetic || is_move ? std::optional<std::size_t>(0) : std::nullopt;
}

/// The same for an opcode behind 0x0f.
std::optional<std::size_t> immediate_size_of_two_byte(unsigned opcode) {
  constexpr auto kWithoutImmediate = std::to_array<std::uint8_t>(
      {0x10, 0x11, 0x28, 0x29, 0x2b, 0x6e, 0x6f, 0x7e, 0x7f, 0xa3, 0xab, 0xaf, 0xb0,
       0xb1, 0xb3, 0xb6, 0xb7, 0xbb, 0xbe, 0xbf, 0xc0, 0xc1, 0xc3, 0xc7, 0xd6, 0xe7});
  for (const unsigned each : kWithoutImmediate) {
    if (each == opcode) {
      return 0;
    }
  }
  const bool is_conditional = (opcode & 0xf0) == 0x40 || (opcode & 0xf0) == 0x90;
  if (is_conditional) {
    return 0;
  }
  return opcode == 0xba || opcode == 0xa4 || opcode == 0xac ? std::optional<std::size_t>(1)
                                                            : std::nullopt;
}

/// Base and index of a SIB byte; nothing where the instruction is cut short.
std::optional<std::uint64_t> take_scaled(Reader& reader, const CpuState& cpu, std::uint8_t rex,
                                         unsigned mode) {
  const auto sib = reader.take();
  if (!sib) {
    return std::nullopt;
  }
  const unsigned index = ((*sib >> 3) & 7U) | ((rex & 2U) << 2);
  const unsigned base = (*sib & 7U) | ((rex & 1U) << 3);
  constexpr unsigned kNone = 4;
  std::uint64_t address = index == kNone ? 0 : register_value(cpu, index) << (*sib >> 6);
  if ((base & 7) == 5 && mode == 0) {
    const auto displacement = reader.take_signed<std::int32_t>();
    return displacement ? std::optional(address + *displacement) : std::nullopt;
  }
  address += register_value(cpu, base);
  return address;
}

struct Effective {
  std::uint64_t offset = 0;
  bool is_rip_relative = false;
};

/// Everything from ModRM to the displacement; nothing for a register operand.
std::optional<Effective> take_operand(Reader& reader, const CpuState& cpu, std::uint8_t rex,
                                      ModRm modrm) {
  const unsigned mode = modrm.mode();
  const unsigned base = modrm.base();
  if (mode == 3) {
    return std::nullopt;
  }
  if (mode == 0 && base == 5) {
    const auto displacement = reader.take_signed<std::int32_t>();
    return displacement ? std::optional(Effective{*displacement, true}) : std::nullopt;
  }
  const auto address = base == 4 ? take_scaled(reader, cpu, rex, mode)
                                 : std::optional(register_value(cpu, base | ((rex & 1U) << 3)));
  if (!address || mode == 0) {
    return address ? std::optional(Effective{*address, false}) : std::nullopt;
  }
  const auto displacement =
      mode == 1 ? reader.take_signed<std::int8_t>() : reader.take_signed<std::int32_t>();
  return displacement ? std::optional(Effective{*address + *displacement, false}) : std::nullopt;
}

/// RSI or RDI for the string instructions that touch memory in one place in this direction.
std::optional<std::uint64_t> string_operand(unsigned opcode, const CpuState& cpu,
                                            Direction direction) {
  const bool reads = direction == Direction::kRead;
  switch (opcode) {
    case 0xa4:  // MOVS
    case 0xa5:
      return reads ? cpu.rsi : cpu.rdi;
    case 0xaa:  // STOS
    case 0xab:
      return reads ? std::nullopt : std::optional(cpu.rdi);
    case 0xac:  // LODS
    case 0xad:
      return reads ? std::optional(cpu.rsi) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<MemoryOperand> memory_operand(std::span<const std::byte> bytes, GuestVirtAddr start,
                                            const CpuState& cpu, Direction direction) {
  Reader reader(bytes.first(std::min(bytes.size(), kMaxInstructionSize)));
  Prefixes prefixes;
  if (!take_prefixes(reader, cpu, prefixes)) {
    return std::nullopt;
  }
  const auto first = reader.take();
  if (!first) {
    return std::nullopt;
  }
  if (const auto offset = string_operand(*first, cpu, direction)) {
    return MemoryOperand{static_cast<std::uint8_t>(reader.taken()),
                         GuestVirtAddr(*offset + prefixes.segment_base.value_or(0)),
                         prefixes.repeats};
  }
  const bool is_two_byte = *first == 0x0f;
  const auto opcode = is_two_byte ? reader.take() : first;
  const auto operand_byte = reader.take();
  if (!opcode || !operand_byte) {
    return std::nullopt;
  }
  const ModRm modrm{*operand_byte};
  const auto immediate = is_two_byte ? immediate_size_of_two_byte(*opcode)
                                     : immediate_size(*opcode, modrm, prefixes.operand_size);
  const auto operand = immediate ? take_operand(reader, cpu, prefixes.rex, modrm) : std::nullopt;
  if (!operand || !reader.skip(*immediate)) {
    return std::nullopt;
  }
  std::uint64_t address = operand->offset + prefixes.segment_base.value_or(0);
  if (operand->is_rip_relative) {
    address += start.value() + reader.taken();
  }
  return MemoryOperand{static_cast<std::uint8_t>(reader.taken()), GuestVirtAddr(address), false};
}

}  // namespace nestling::x86_64
