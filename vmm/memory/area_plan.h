// AreaPlan: where RAM, ROMs and aliases stand in one machine, checked before anything is mapped.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "addrspace/address_space.h"
#include "addrspace/host_mapping.h"
#include "addrspace/range.h"
#include "base/result.h"
#include "boot/memory_map.h"
#include "vmm/memory/extra_areas.h"

namespace nestling {

/// Made by plan_areas().
///
///     RAM asked for:  |-----------------------------------|
///     extra areas:          |hole|     |rom|     |alias|      |alias|
///     `ram`:          |-----|    |-----|   |-----|     |--|
struct AreaPlan {
  struct Rom {
    GuestPhysRange range;  ///< whole pages
    HostMapping file;
  };

  std::vector<GuestPhysRange> ram;  ///< ascending, disjoint, whole pages, none empty
  std::vector<Rom> roms;
  std::vector<AliasSpec> aliases;

  /// ROMs and aliases, which are no RAM, for the kernel's memory map.
  [[nodiscard]] std::vector<MemoryClaim> claims() const;
  /// Of the ROMs, which need memory of their own.
  [[nodiscard]] std::vector<GuestPhysRange> rom_ranges() const;
};

/// `ram`: ascending, disjoint, whole pages. ROMs and aliases may take the place of RAM, stand
/// beside it, or both. Fails with kNoInput for a file that cannot be read, and with kUsage when an
/// area is misaligned, empty, or beyond `space`, overlaps another, when a hole or an alias's source
/// is not all RAM, or when no RAM is left.
[[nodiscard]] Result<AreaPlan> plan_areas(std::span<const GuestPhysRange> ram,
                                          const ExtraAreas& extra, GuestPhysRange space);

/// Fails with kUsage when a ROM or an alias lies where one of `devices` does, whose ranges these
/// are.
[[nodiscard]] Result<void> check_areas_against(const AreaPlan& plan,
                                               std::span<const GuestPhysRange> devices);

/// Maps the plan's ROMs, with their files' bytes, and its aliases, whose sources get populated.
/// `space` has its RAM. Fails with kHostRefused.
[[nodiscard]] Result<void> map_extra_areas(const AreaPlan& plan, AddressSpace& space);

}  // namespace nestling
