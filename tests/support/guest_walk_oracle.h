// A second opinion on guest walks: each architecture's manual transcribed step by step.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "addrspace/aarch64/stage1_format.h"
#include "addrspace/guest_walk.h"
#include "addrspace/riscv64/stage1_format.h"
#include "addrspace/x86_64/stage1_format.h"

namespace nestling::oracle {

/// What a walk must come to, in plain numbers.
struct Answer {
  enum class Kind : std::uint8_t { kTranslated, kFault, kNoMemory };

  Kind kind = Kind::kFault;
  std::uint64_t address = 0;    ///< the guest-physical one; of the unreadable entry for kNoMemory
  std::uint64_t page_size = 0;  ///< in bytes
  /// The architecture's own number: x86 the error code of a #PF, or a value below; Arm the fault
  /// status; RISC-V the cause.
  std::uint64_t code = 0;

  friend bool operator==(const Answer&, const Answer&) = default;
};

/// x86 faults that are no #PF.
inline constexpr std::uint64_t kNotCanonical = 1000;
inline constexpr std::uint64_t kBadTopEntry = 1001;
/// Arm states nobody walks.
inline constexpr std::uint64_t kUnsupported = 1002;

/// Reads `size` bytes at a guest-physical address; nothing where there is no memory.
using Memory = std::function<std::optional<std::uint64_t>(std::uint64_t address, unsigned size)>;

// The oracles use of these headers only the structs that hold registers, none of their functions
// and none of their constants.
[[nodiscard]] Answer walk(const Memory& memory, const x86_64::PagingState& state, std::uint64_t gva,
                          GuestAccess access);
[[nodiscard]] Answer walk(const Memory& memory, const aarch64::TranslationState& state,
                          std::uint64_t gva, GuestAccess access);
[[nodiscard]] Answer walk(const Memory& memory, const riscv64::TranslationState& state,
                          std::uint64_t gva, GuestAccess access);

}  // namespace nestling::oracle
