// The walk of a guest's AArch64 page tables at EL1 and EL0, and the abort it would raise.
#pragma once

#include <cstdint>
#include <string>

#include "addrspace/aarch64/stage1_format.h"
#include "addrspace/guest_walk.h"

namespace nestling::aarch64 {

/// Why a guest's CPU would not translate.
struct TranslationFault {
  enum class Kind : std::uint8_t {
    kAddressSize,      ///< an output address has bits the CPU or TCR.IPS does not allow
    kTranslation,      ///< no valid descriptor, or an address outside both halves
    kAccessFlag,       ///< AF is clear and the CPU does not set it itself
    kPermission,       ///< the access is refused
    kUnsupportedState  ///< not an abort: big-endian tables or a reserved granule, not walked here
  };

  Kind kind = Kind::kTranslation;
  std::int8_t level = 0;  ///< -1 to 3, as in the fault status code

  friend bool operator==(const TranslationFault&, const TranslationFault&) = default;
};

/// The six bits of ESR_EL1.ISS that tell kind and level (IFSC, DFSC); 0x04 + level for translation
/// faults, for example. Arm Architecture Reference Manual, "ESR_EL1". For kUnsupportedState, 0.
[[nodiscard]] std::uint8_t status_code(const TranslationFault& fault);

/// ESR_EL1 as the abort of this access would leave it, without the optional fields (ISV is 0).
[[nodiscard]] std::uint64_t syndrome(const TranslationFault& fault, GuestAccess access);

/// "permission fault at level 2, status 0xe" or the like.
[[nodiscard]] std::string describe(const TranslationFault& fault);

using GuestWalk = Stage1Walk<TranslationFault>;

/// Translates `gva` as a CPU in `state` would for `access`, reading tables from `tables`: 4, 16 and
/// 64 KiB granules, 48 and 52 bits, TBI, EPD, HPD, E0PD, PAN, EPAN, WXN and HAFDBS. Where TxSZ is
/// not a size the CPU has, the architecture lets it fault or take the nearest: here it is a
/// translation fault at level 0. Not known: 128-bit descriptors, permission indirection, NFD, the
/// nT bit. With TableUpdate::kAccessedDirty, a walk that succeeds sets AF and clears AP[2] where
/// TCR.HA and HD make the CPU do so, atomically. Any thread may call it.
[[nodiscard]] GuestWalk walk(TableMemory& tables, const TranslationState& state, GuestVirtAddr gva,
                             GuestAccess access, TableUpdate update = TableUpdate::kNone);

}  // namespace nestling::aarch64
