// The page tables that a kernel starts with: the first 4 GiB, each address mapped to itself.
#pragma once

#include <cstdint>
#include <vector>

#include "addrspace/range.h"

namespace nestling::x86_64 {

/// What the tables map.
inline constexpr GuestPhysRange kIdentityMapped =
    GuestPhysRange::of(GuestPhysAddr(0), std::uint64_t{4} << 30);
/// One PML4, one PDPT, one page directory for each GiB.
inline constexpr std::uint64_t kIdentityMapSize = 6 * kPageSize;

/// kIdentityMapSize bytes of tables that will stand at `base`, a page; CR3 is then `base`. Pages
/// of 2 MiB, supervisor, readable, writable and executable, marked accessed and dirty so that the
/// processor has nothing to write. (Intel SDM volume 3, "4-Level Paging".)
///
///      base: PML4 -> PDPT -> 4 page directories -> 2 MiB pages
[[nodiscard]] std::vector<std::uint64_t> make_identity_map(GuestPhysAddr base);

}  // namespace nestling::x86_64
