// Ram: the guest's RAM as plain host memory, one mapping cut into guest-physical regions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "addrspace/guest_memory.h"
#include "addrspace/host_mapping.h"
#include "base/result.h"

namespace nestling {

/// RAM at one or more ranges of guest-physical addresses, all readable, writable and executable.
/// Each range stands at a host address that is congruent modulo 2 MiB, so the host can use huge
/// pages under it.
class Ram final : public GuestMemory {
 public:
  /// A range of guest-physical addresses and the host bytes behind it, equally long.
  struct Region {
    GuestPhysRange guest;
    std::span<std::byte> host;
  };

  /// `ranges`: ascending, disjoint, 2 MiB-aligned starts, page-aligned sizes, none empty.
  /// Fails with kHostRefused when the host has no room.
  [[nodiscard]] static Result<Ram> create(std::span<const GuestPhysRange> ranges);

  [[nodiscard]] Result<SpanList, MemoryFault> spans(GuestPhysRange range, Access access) override;

  /// Ascending by guest address.
  [[nodiscard]] std::span<const Region> regions() const { return regions_; }

 private:
  Ram(HostMapping mapping, std::vector<Region> regions)
      : mapping_(std::move(mapping)), regions_(std::move(regions)) {}

  HostMapping mapping_;
  std::vector<Region> regions_;
};

}  // namespace nestling
