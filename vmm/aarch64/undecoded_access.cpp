// Each encoding class by its fixed bits, as the manual's tables have them.
#include "vmm/aarch64/undecoded_access.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "vmm/aarch64/load_store_fields.h"

namespace nestling::aarch64 {

namespace {

using stage1::field;
using Extension = UndecodedAccess::Extension;
using Registers = UndecodedAccess::Registers;

bool is_vector(std::uint32_t instruction) { return field(instruction, 26, 1) != 0; }

std::uint8_t register_at(std::uint32_t instruction, unsigned bit) {
  return static_cast<std::uint8_t>(field(instruction, bit, 5));
}

/// How an instruction forms its address from the base and an offset.
enum class Form : std::uint8_t { kOffset, kPostIndex, kPreIndex };

/// Nothing where the base is a register that is moved as well.
std::optional<UndecodedAccess> at(UndecodedAccess access, Form form, std::uint64_t offset,
                                  std::uint32_t instruction, const CpuState& cpu) {
  const std::uint64_t from = base(instruction, cpu);
  access.address = GuestVirtAddr(form == Form::kPostIndex ? from : from + offset);
  if (form == Form::kOffset) {
    return access;
  }
  const std::uint8_t number = register_at(instruction, 5);
  for (std::size_t i = 0; i < access.element_count; ++i) {
    if (access.registers == Registers::kGeneral && number != 31 && access.numbers.at(i) == number) {
      return std::nullopt;
    }
  }
  access.new_base = UndecodedAccess::NewBase{.number = number, .value = from + offset};
  return access;
}

/// LDP, STP, LDNP, STNP, LDPSW.
std::optional<UndecodedAccess> pair(std::uint32_t instruction, const CpuState& cpu) {
  const auto kind = static_cast<unsigned>(field(instruction, 30, 2));
  const bool is_load = field(instruction, 22, 1) != 0;
  const std::uint64_t mode = field(instruction, 23, 2);  // no-allocate, post, offset, pre
  const bool is_signed = !is_vector(instruction) && kind == 1;
  // Where a store would be signed it is STGP, which stores a tag.
  if (kind == 3 || (is_signed && (!is_load || mode == 0))) {
    return std::nullopt;
  }
  const unsigned scale = 2 + (is_vector(instruction) ? kind : kind / 2);
  const UndecodedAccess access{
      .direction = is_load ? Direction::kRead : Direction::kWrite,
      .address = {},
      .element_size = static_cast<std::uint8_t>(1U << scale),
      .element_count = 2,
      .registers = is_vector(instruction) ? Registers::kVector : Registers::kGeneral,
      .numbers = {register_at(instruction, 0), register_at(instruction, 10)},
      .extension = is_signed ? Extension::kSignTo64 : Extension::kZero};
  if (is_load && access.numbers[0] == access.numbers[1]) {
    return std::nullopt;
  }
  const Form form = mode == 1 ? Form::kPostIndex : mode == 3 ? Form::kPreIndex : Form::kOffset;
  return at(access, form, signed_field(instruction, 15, 7) << scale, instruction, cpu);
}

/// What the size and opc fields say of an access of one register.
std::optional<UndecodedAccess> single(std::uint32_t instruction) {
  const auto size = static_cast<unsigned>(field(instruction, 30, 2));
  const std::uint64_t opc = field(instruction, 22, 2);
  UndecodedAccess access;
  access.numbers = {register_at(instruction, 0), 0};
  if (is_vector(instruction)) {
    if (opc >= 2 && size != 0) {
      return std::nullopt;
    }
    access.registers = Registers::kVector;
    access.element_size = static_cast<std::uint8_t>(opc >= 2 ? 16 : 1U << size);
    access.direction = opc % 2 != 0 ? Direction::kRead : Direction::kWrite;
    return access;
  }
  // A prefetch, or nothing.
  if ((opc >= 2 && size == 3) || (opc == 3 && size == 2)) {
    return std::nullopt;
  }
  access.element_size = static_cast<std::uint8_t>(1U << size);
  access.direction = opc == 0 ? Direction::kWrite : Direction::kRead;
  access.extension = opc == 2   ? Extension::kSignTo64
                     : opc == 3 ? Extension::kSignTo32
                                : Extension::kZero;
  return access;
}

/// LDR of a SIMD register from where PC is.
std::optional<UndecodedAccess> literal(std::uint32_t instruction, const CpuState& cpu) {
  const auto kind = static_cast<unsigned>(field(instruction, 30, 2));
  if (kind == 3) {
    return std::nullopt;
  }
  UndecodedAccess access;
  access.address = GuestVirtAddr(cpu.pc + 4 * signed_field(instruction, 5, 19));
  access.element_size = static_cast<std::uint8_t>(4U << kind);
  access.registers = Registers::kVector;
  access.numbers = {register_at(instruction, 0), 0};
  return access;
}

}  // namespace

std::optional<UndecodedAccess> undecoded_access(std::uint32_t instruction, const CpuState& cpu) {
  if ((cpu.pstate & kPstateAarch32) != 0) {
    return std::nullopt;
  }
  if (matches(instruction, 0x3a00'0000, 0x2800'0000)) {
    return pair(instruction, cpu);
  }
  if (matches(instruction, 0x3f00'0000, 0x1c00'0000)) {
    return literal(instruction, cpu);
  }
  if (!matches(instruction, 0x3a00'0000, 0x3800'0000)) {
    return std::nullopt;
  }
  const auto access = single(instruction);
  if (!access) {
    return std::nullopt;
  }
  const auto scale = static_cast<unsigned>(__builtin_ctz(access->element_size));
  // An unsigned offset.
  if (matches(instruction, 0x3f00'0000, 0x3d00'0000)) {
    return at(*access, Form::kOffset, field(instruction, 10, 12) << scale, instruction, cpu);
  }
  const std::uint64_t mode = field(instruction, 10, 2);
  if (matches(instruction, 0x3f20'4c00, 0x3c20'4800)) {
    return at(*access, Form::kOffset, scaled_index(instruction, cpu, scale), instruction, cpu);
  }
  if (!matches(instruction, 0x3b20'0000, 0x3800'0000)) {
    return std::nullopt;
  }
  // Without write-back the processor describes those of general registers.
  if (mode == 2 || (mode == 0 && !is_vector(instruction))) {
    return std::nullopt;
  }
  const Form form = mode == 1 ? Form::kPostIndex : mode == 3 ? Form::kPreIndex : Form::kOffset;
  return at(*access, form, signed_field(instruction, 12, 9), instruction, cpu);
}

std::size_t piece_size(const UndecodedAccess& access, std::size_t offset) {
  const std::size_t most = std::min<std::size_t>(access.element_size, sizeof(std::uint64_t));
  return std::min(most - offset % most, kPageSize - (access.address.value() + offset) % kPageSize);
}

std::uint64_t loaded_value(Extension extension, std::span<const std::byte> element) {
  std::uint64_t value = 0;
  check(element.size() <= sizeof value, "more than a general register holds");
  std::memcpy(&value, element.data(), element.size());
  if (extension != Extension::kZero) {
    value = signed_field(value, 0, static_cast<unsigned>(8 * element.size()));
  }
  return extension == Extension::kSignTo32 ? field(value, 0, 32) : value;
}

}  // namespace nestling::aarch64
