// ESR_EL1 in words: what exception EL1 took, and why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nestling::aarch64 {

/// The exception class, ESR bits 31:26; Arm ARM, "ESR_EL1".
[[nodiscard]] constexpr unsigned exception_class(std::uint64_t esr) {
  return static_cast<unsigned>(esr >> 26) & 0x3f;
}

/// True when FAR_EL1 holds the address that the exception is about: aborts, misaligned PCs and
/// watchpoints, unless the syndrome says that it is not valid.
[[nodiscard]] bool has_fault_address(std::uint64_t esr);

/// True when an instruction could not be fetched.
[[nodiscard]] bool is_instruction_abort(std::uint64_t esr);

/// True for an abort that came from outside the processor: so KVM tells a guest of page tables, and
/// of code, where no memory slot is.
[[nodiscard]] bool is_external_abort(std::uint64_t esr);

/// "data abort in EL1: translation fault at level 1, write", "undefined instruction", "svc 0x12":
/// class, then what the class's fields say.
[[nodiscard]] std::string describe_syndrome(std::uint64_t esr);

/// "translation fault at level 1", for the six bits of a fault status code, IFSC or DFSC.
[[nodiscard]] std::string describe_fault_status(std::uint64_t status);

}  // namespace nestling::aarch64
