// RAM regions over one host mapping.
#include "addrspace/ram.h"

#include <algorithm>
#include <utility>

namespace nestling {

namespace {

constexpr std::uint64_t kHugePage = 2ULL << 20;

}  // namespace

Result<Ram> Ram::create(std::span<const GuestPhysRange> ranges) {
  std::uint64_t total = 0;
  for (const GuestPhysRange& range : ranges) {
    check(range.start().is_aligned(kHugePage) && range.size() % kPageSize == 0 && !range.is_empty(),
          "RAM range is not aligned");
    // Each region starts at a multiple of 2 MiB in the mapping, as it does in the guest.
    const auto padded = checked_add(range.size(), kHugePage - 1);
    const auto sum = padded ? checked_add(total, *padded & ~(kHugePage - 1)) : std::nullopt;
    if (!sum) {
      return failure(make_error(ErrorKind::kHostRefused, "guest RAM of {:#x} bytes is too large",
                                range.size()));
    }
    total = *sum;
  }
  auto mapping = HostMapping::anonymous(total, kHugePage);
  if (!mapping) {
    return failure(mapping.error());
  }
  std::vector<Region> regions;
  std::span<std::byte> rest = mapping->bytes();
  for (const GuestPhysRange& range : ranges) {
    regions.push_back({range, rest.first(range.size())});
    rest = rest.subspan((range.size() + kHugePage - 1) & ~(kHugePage - 1));
  }
  return Ram(std::move(*mapping), std::move(regions));
}

Result<SpanList, MemoryFault> Ram::spans(GuestPhysRange range, Access /*access*/) {
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
