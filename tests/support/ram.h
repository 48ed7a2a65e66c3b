// Ram: plain host memory as guest RAM, for tests: one mapping cut into guest-physical regions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "addrspace/guest_memory.h"
#include "addrspace/host_mapping.h"
#include "base/result.h"

namespace nestling {

/// Where each region starts, modulo.
inline constexpr std::uint64_t kRegionAlignment = 2ULL << 20;

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

inline Result<Ram> Ram::create(std::span<const GuestPhysRange> ranges) {
  std::uint64_t total = 0;
  for (const GuestPhysRange& range : ranges) {
    check(range.start().is_aligned(kRegionAlignment) && range.size() % kPageSize == 0 &&
              !range.is_empty(),
          "RAM range is not aligned");
    // Each region starts at a multiple of 2 MiB in the mapping, as it does in the guest.
    const auto padded = checked_add(range.size(), kRegionAlignment - 1);
    const auto sum = padded ? checked_add(total, *padded & ~(kRegionAlignment - 1)) : std::nullopt;
    if (!sum) {
      return failure(make_error(ErrorKind::kHostRefused, "guest RAM of {:#x} bytes is too large",
                                range.size()));
    }
    total = *sum;
  }
  auto mapping = HostMapping::anonymous(total, kRegionAlignment);
  if (!mapping) {
    return failure(mapping.error());
  }
  std::vector<Region> regions;
  std::span<std::byte> rest = mapping->bytes();
  for (const GuestPhysRange& range : ranges) {
    regions.push_back({range, rest.first(range.size())});
    rest = rest.subspan((range.size() + kRegionAlignment - 1) & ~(kRegionAlignment - 1));
  }
  return Ram(std::move(*mapping), std::move(regions));
}

inline Result<SpanList, MemoryFault> Ram::spans(GuestPhysRange range, Access /*access*/) {
  SpanList list;
  while (!range.is_empty()) {
    const auto region = std::find_if(regions_.begin(), regions_.end(), [&](const Region& each) {
      return each.guest.contains(range.start());
    });
    if (region == regions_.end()) {
      return failure(MemoryFault{MemoryFault::Reason::kUnmapped, range.start()});
    }
    const std::uint64_t offset = range.start().offset_from(region->guest.start());
    const std::uint64_t length = std::min(range.size(), region->guest.size() - offset);
    list.append(region->host.subspan(offset, length));
    if (length == range.size()) {
      break;
    }
    range = GuestPhysRange::of(range.start() + length, range.size() - length);
  }
  return list;
}

}  // namespace nestling
