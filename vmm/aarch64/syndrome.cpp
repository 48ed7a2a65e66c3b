// The classes and fields of ESR_EL1; Arm Architecture Reference Manual, "ESR_EL1, Exception
// Syndrome Register (EL1)".
#include "vmm/aarch64/syndrome.h"

#include <fmt/core.h>

#include "addrspace/aarch64/stage1_format.h"

namespace nestling::aarch64 {

namespace {

using stage1::field;

constexpr unsigned kInstructionAbortLower = 0x20;
constexpr unsigned kInstructionAbortSame = 0x21;
constexpr unsigned kPcAlignment = 0x22;
constexpr unsigned kDataAbortLower = 0x24;
constexpr unsigned kDataAbortSame = 0x25;
constexpr unsigned kSystemRegister = 0x18;
constexpr unsigned kWatchpointLower = 0x34;
constexpr unsigned kWatchpointSame = 0x35;
constexpr std::uint64_t kFarNotValid = 1ULL << 10;

bool is_data_abort(std::uint64_t esr) {
  const unsigned found = exception_class(esr);
  return found == kDataAbortLower || found == kDataAbortSame;
}

std::string_view class_name(unsigned exception_class) {
  switch (exception_class) {
    case 0x00:
      return "undefined instruction";
    case 0x01:
      return "trapped WFI or WFE";
    case 0x03:
    case 0x05:
      return "trapped MCR or MRC";
    case 0x04:
    case 0x0c:
      return "trapped MCRR or MRRC";
    case 0x06:
      return "trapped LDC or STC";
    case 0x07:
      return "floating point or SIMD, which CPACR_EL1 traps";
    case 0x0d:
      return "branch to where BTI allows none";
    case 0x0e:
      return "illegal execution state";
    case 0x11:
    case 0x15:
      return "svc";
    case 0x16:
      return "hvc";
    case 0x17:
      return "smc";
    case kSystemRegister:
      return "trapped system instruction";
    case 0x19:
      return "SVE, which is trapped";
    case 0x1c:
      return "pointer authentication failed";
    case 0x1d:
      return "SME, which is trapped";
    case kInstructionAbortLower:
      return "instruction abort in EL0";
    case kInstructionAbortSame:
      return "instruction abort in EL1";
    case kPcAlignment:
      return "misaligned PC";
    case kDataAbortLower:
      return "data abort in EL0";
    case kDataAbortSame:
      return "data abort in EL1";
    case 0x26:
      return "misaligned SP";
    case 0x27:
      return "memory copy or set";
    case 0x28:
    case 0x2c:
      return "floating point exception";
    case 0x2f:
      return "SError";
    case 0x30:
      return "breakpoint in EL0";
    case 0x31:
      return "breakpoint in EL1";
    case 0x32:
      return "software step in EL0";
    case 0x33:
      return "software step in EL1";
    case kWatchpointLower:
      return "watchpoint in EL0";
    case kWatchpointSame:
      return "watchpoint in EL1";
    case 0x38:
      return "bkpt";
    case 0x3c:
      return "brk";
    default:
      return "";
  }
}

/// Whether the class's syndrome is the 16-bit immediate of the instruction.
bool has_immediate(unsigned exception_class) {
  return (exception_class >= 0x11 && exception_class <= 0x17) || exception_class == 0x38 ||
         exception_class == 0x3c;
}

std::string system_instruction_words(std::uint64_t esr) {
  return fmt::format("{} S{}_{}_C{}_C{}_{} {} x{}", (esr & 1) != 0 ? "mrs" : "msr",
                     field(esr, 20, 2), field(esr, 14, 3), field(esr, 10, 4), field(esr, 1, 4),
                     field(esr, 17, 3), (esr & 1) != 0 ? "to" : "from", field(esr, 5, 5));
}

std::string data_abort_words(std::uint64_t esr) {
  constexpr std::uint64_t kWrite = 1ULL << 6;
  constexpr std::uint64_t kTableWalk = 1ULL << 7;
  constexpr std::uint64_t kCacheMaintenance = 1ULL << 8;
  std::string words = describe_fault_status(esr & 0x3f);
  if ((esr & kTableWalk) != 0) {
    words += ", reading a table";
  } else if ((esr & kCacheMaintenance) != 0) {
    words += ", cache maintenance";
  } else {
    words += (esr & kWrite) != 0 ? ", write" : ", read";
  }
  return words;
}

}  // namespace

bool has_fault_address(std::uint64_t esr) {
  const unsigned found = exception_class(esr);
  if (is_data_abort(esr) || is_instruction_abort(esr)) {
    return (esr & kFarNotValid) == 0;
  }
  return found == kPcAlignment || found == kWatchpointLower || found == kWatchpointSame;
}

bool is_instruction_abort(std::uint64_t esr) {
  const unsigned found = exception_class(esr);
  return found == kInstructionAbortLower || found == kInstructionAbortSame;
}

bool is_external_abort(std::uint64_t esr) {
  if (!is_data_abort(esr) && !is_instruction_abort(esr)) {
    return false;
  }
  constexpr std::uint64_t kExternal = 0b01'0000;
  constexpr std::uint64_t kExternalOnWalk = 0b01'0100;  // and a level
  const std::uint64_t status = field(esr, 0, 6);
  return status == kExternal || (status & ~std::uint64_t{3}) == kExternalOnWalk;
}

std::string describe_fault_status(std::uint64_t status) {
  const std::uint64_t level = status & 3;
  switch (status >> 2) {
    case 0b0000:
      return fmt::format("address size fault at level {}", level);
    case 0b0001:
      return fmt::format("translation fault at level {}", level);
    case 0b0010:
      return fmt::format("access flag fault at level {}", level);
    case 0b0011:
      return fmt::format("permission fault at level {}", level);
    case 0b0101:
      return fmt::format("external abort on a table of level {}", level);
    case 0b0111:
      return fmt::format("parity error on a table of level {}", level);
    default:
      break;
  }
  switch (status) {
    case 0b01'0000:
      return "external abort";
    case 0b01'0001:
      return "tag check fault";
    case 0b01'0011:
      return "external abort on a table of level -1";
    case 0b01'1000:
      return "parity error";
    case 0b10'0001:
      return "alignment fault";
    case 0b10'1001:
      return "address size fault at level -1";
    case 0b10'1011:
      return "translation fault at level -1";
    case 0b11'0000:
      return "TLB conflict";
    case 0b11'0101:
      return "atomic access to memory that has none";
    default:
      return fmt::format("fault status {:#x}", status);
  }
}

std::string describe_syndrome(std::uint64_t esr) {
  const unsigned found = exception_class(esr);
  const std::string_view name = class_name(found);
  if (name.empty()) {
    return fmt::format("exception class {:#x}", found);
  }
  if (is_data_abort(esr)) {
    return fmt::format("{}: {}", name, data_abort_words(esr));
  }
  if (is_instruction_abort(esr)) {
    return fmt::format("{}: {}", name, describe_fault_status(esr & 0x3f));
  }
  if (found == kSystemRegister) {
    return fmt::format("{}: {}", name, system_instruction_words(esr));
  }
  if (has_immediate(found)) {
    return fmt::format("{} {:#x}", name, esr & 0xffff);
  }
  return std::string(name);
}

}  // namespace nestling::aarch64
