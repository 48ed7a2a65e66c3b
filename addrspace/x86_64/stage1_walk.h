// The walk of a guest's x86 page tables, in every paging mode, and the fault it would raise.
#pragma once

#include <cstdint>
#include <string>

#include "addrspace/guest_walk.h"
#include "addrspace/x86_64/stage1_format.h"

namespace nestling::x86_64 {

/// The #PF error code; SDM volume 3, "Page-Fault Exceptions".
inline constexpr std::uint32_t kFaultPresent = 1U << 0;
inline constexpr std::uint32_t kFaultWrite = 1U << 1;
inline constexpr std::uint32_t kFaultUser = 1U << 2;
inline constexpr std::uint32_t kFaultReserved = 1U << 3;
inline constexpr std::uint32_t kFaultFetch = 1U << 4;
inline constexpr std::uint32_t kFaultKey = 1U << 5;

/// Why a guest's CPU would not translate.
struct PagingFault {
  enum class Kind : std::uint8_t {
    kPageFault,        ///< #PF with `error_code`
    kNotAnAddress,     ///< not canonical, or above 4 GiB outside long mode: #GP or #SS
    kInvalidTopEntry,  ///< PAE: a PDPTE has reserved bits; loading CR3 would have been #GP
  };

  Kind kind = Kind::kPageFault;
  std::uint32_t error_code = 0;  ///< of a #PF, else 0
  std::int8_t level = 0;         ///< of the entry at fault; 0 for kNotAnAddress

  friend bool operator==(const PagingFault&, const PagingFault&) = default;
};

/// "#PF, error code 0x2 (supervisor write, not present) at level 3" or the like.
[[nodiscard]] std::string describe(const PagingFault& fault);

using GuestWalk = Stage1Walk<PagingFault>;

/// Translates `gva` as a CPU in `state` would for `access`, reading tables from `tables`.
/// Supports protection keys; not linear-address masking, shadow stacks and HLAT. PDPTEs of PAE are
/// read from memory each time, as AMD does (Intel's CPUs keep what CR3's load found).
/// With TableUpdate::kAccessedDirty, a walk that succeeds sets the flags the CPU would set, each
/// atomically; a walk that fails changes nothing. Any thread may call it.
[[nodiscard]] GuestWalk walk(TableMemory& tables, const PagingState& state, GuestVirtAddr gva,
                             GuestAccess access, TableUpdate update = TableUpdate::kNone);

}  // namespace nestling::x86_64
