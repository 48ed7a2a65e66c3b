// The exception that the instruction at RIP cannot but raise, where that can be proved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vmm/x86_64/guest_view.h"

namespace nestling::x86_64 {

/// Exception vectors; Intel SDM volume 3, "Exception and Interrupt Reference".
inline constexpr std::uint8_t kDivideError = 0;
inline constexpr std::uint8_t kDebug = 1;
inline constexpr std::uint8_t kBreakpoint = 3;
inline constexpr std::uint8_t kInvalidOpcode = 6;
inline constexpr std::uint8_t kDoubleFault = 8;
inline constexpr std::uint8_t kGeneralProtection = 13;
inline constexpr std::uint8_t kPageFault = 14;

/// An exception and what raises it.
struct CertainFault {
  std::uint8_t vector = 0;
  /// "ud2", or "RIP: its PD entry is not present".
  std::string why;
};

/// "#UD", or "vector 0x80" for one that has no name.
[[nodiscard]] std::string vector_name(std::uint8_t vector);

/// What fetching and executing the instruction at RIP raises with the registers as they are; found
/// for fetches that fail, ud2 and its kin, int3, int1, int n, division by a register that is zero,
/// and hlt, cli and sti without the privilege. Nothing for all else: an instruction that uses
/// memory could raise anything, and is not judged.
[[nodiscard]] std::optional<CertainFault> certain_fault(GuestView& view);

}  // namespace nestling::x86_64
