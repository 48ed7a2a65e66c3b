// The memory map that a kernel is handed: what of the address space is RAM, and who uses it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "addrspace/range.h"
#include "boot/boot_info.h"

namespace nestling {

/// "usable", "boot structures" …
[[nodiscard]] std::string_view name_of(MemoryKind kind);

/// A range and what it is used for.
struct MemoryClaim {
  GuestPhysRange range;
  MemoryKind kind = MemoryKind::kReserved;
};

/// Every byte of `ram` (ascending, disjoint, page-aligned, none empty) as what `claims` say of it
/// and as usable otherwise, then the claims outside RAM; ascending, disjoint, whole pages.
/// A claim is widened to whole pages. Claims may come in any order and overlap; where they do, the
/// earlier one in the span wins. A claim must not straddle the edge of RAM.
///
///     ram      |------------------------------|        |-------|
///     claims      |image|  |boot|                |res|
///     map      |us|image|us|boot|us-----------|  |res| |us-----|
[[nodiscard]] std::vector<MemoryMapEntry> make_memory_map(std::span<const GuestPhysRange> ram,
                                                          std::span<const MemoryClaim> claims);

}  // namespace nestling
