// A sweep over the boundaries of everything known about the address space.
#include "boot/memory_map.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "boot/placement.h"

namespace nestling {

namespace {

constexpr std::uint64_t kTop = std::numeric_limits<std::uint64_t>::max();

void add_boundaries(GuestPhysRange range, std::vector<std::uint64_t>& boundaries) {
  boundaries.push_back(range.start().value());
  if (range.last().value() != kTop) {
    boundaries.push_back(range.last().value() + 1);
  }
}

std::optional<MemoryKind> kind_at(GuestPhysAddr address, std::span<const GuestPhysRange> ram,
                                  std::span<const MemoryClaim> claims) {
  const auto contains = [&](const GuestPhysRange& range) { return range.contains(address); };
  const auto claim = std::find_if(claims.begin(), claims.end(),
                                  [&](const MemoryClaim& each) { return contains(each.range); });
  if (claim != claims.end()) {
    return claim->kind;
  }
  return std::any_of(ram.begin(), ram.end(), contains) ? std::optional(MemoryKind::kUsable)
                                                       : std::nullopt;
}

void append(std::vector<MemoryMapEntry>& map, std::uint64_t start, std::uint64_t size,
            MemoryKind kind) {
  if (!map.empty() && map.back().kind == kind && map.back().start + map.back().size == start) {
    map.back().size += size;
    return;
  }
  map.push_back({start, size, kind, 0});
}

}  // namespace

std::string_view name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kUsable:
      return "usable";
    case MemoryKind::kReserved:
      return "reserved";
    case MemoryKind::kBoot:
      return "boot structures";
    case MemoryKind::kImage:
      return "image";
    case MemoryKind::kRom:
      return "rom";
  }
  return "unknown";
}

std::vector<MemoryMapEntry> make_memory_map(std::span<const GuestPhysRange> ram,
                                            std::span<const MemoryClaim> claims) {
  std::vector<MemoryClaim> pages;
  std::vector<std::uint64_t> boundaries;
  for (const MemoryClaim& claim : claims) {
    if (!claim.range.is_empty()) {
      pages.push_back({whole_pages(claim.range), claim.kind});
      add_boundaries(pages.back().range, boundaries);
    }
  }
  for (const GuestPhysRange& range : ram) {
    add_boundaries(range, boundaries);
  }
  std::sort(boundaries.begin(), boundaries.end());
  boundaries.erase(std::unique(boundaries.begin(), boundaries.end()), boundaries.end());

  // Between two boundaries nothing changes, so the first address speaks for all.
  std::vector<MemoryMapEntry> map;
  for (std::size_t index = 0; index < boundaries.size(); ++index) {
    const std::uint64_t start = boundaries[index];
    const std::uint64_t last = index + 1 < boundaries.size() ? boundaries[index + 1] - 1 : kTop;
    const auto kind = kind_at(GuestPhysAddr(start), ram, pages);
    if (kind) {
      append(map, start, last - start + 1, *kind);
    }
  }
  return map;
}

}  // namespace nestling
