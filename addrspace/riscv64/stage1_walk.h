// The walk of a guest's RISC-V page tables, and the exception it would raise.
#pragma once

#include <cstdint>
#include <string>

#include "addrspace/guest_walk.h"
#include "addrspace/riscv64/stage1_format.h"

namespace nestling::riscv64 {

/// Why a guest's hart would not translate.
struct TranslationFault {
  enum class Kind : std::uint8_t {
    kNotAnAddress,  ///< the bits above the mode's width do not repeat its highest one
    kInvalid,       ///< V is clear
    kReserved,      ///< the entry has an encoding no extension here defines, or a superpage that is
                    ///< not aligned to its size
    kPermission,    ///< R, W, X or U refuse the access
    kFlags,         ///< A is clear, or D for a write, and the hart does not set them itself
    kOutOfRange,    ///< translation is off and the address beyond 56 bits
    kBadMode,       ///< satp holds a reserved mode, which a hart does not accept
  };

  Kind kind = Kind::kInvalid;
  /// scause: 12, 13, 15 for page faults, 1, 5, 7 for access faults (kOutOfRange); 0 for kBadMode.
  std::uint8_t cause = 0;
  std::int8_t level = 0;  ///< of the entry at fault; the top level when there is none

  friend bool operator==(const TranslationFault&, const TranslationFault&) = default;
};

/// "store page fault (not valid) at level 1" or the like.
[[nodiscard]] std::string describe(const TranslationFault& fault);

using GuestWalk = Stage1Walk<TranslationFault>;

/// Translates `gva` as a hart in `state` would for `access`, reading tables from `tables`.
/// Knows Svnapot, Svpbmt, Svade and Svadu; not shadow stacks (Zicfiss). A page whose D is clear has
/// no write access where the hart would not set D itself. With TableUpdate::kAccessedDirty and
/// Svadu, a walk that succeeds sets A and D as the hart would, atomically. Any thread may call it.
[[nodiscard]] GuestWalk walk(TableMemory& tables, const TranslationState& state, GuestVirtAddr gva,
                             GuestAccess access, TableUpdate update = TableUpdate::kNone);

}  // namespace nestling::riscv64
