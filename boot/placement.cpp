// The lowest room begins where RAM or the window begins, or right behind something taken.
#include "boot/placement.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace nestling {

GuestPhysRange whole_pages(GuestPhysRange range) {
  const GuestPhysAddr start = range.start().aligned_down(kPageSize);
  const GuestPhysAddr last_page = range.last().aligned_down(kPageSize);
  return GuestPhysRange::of(start, last_page.offset_from(start) + kPageSize);
}

std::optional<GuestPhysRange> find_room(std::uint64_t size, const RoomLimits& where) {
  check(size != 0 && size % kPageSize == 0, "room is made of whole pages");
  std::vector<GuestPhysRange> taken_pages;
  std::vector<GuestPhysAddr> starts = {where.window.start()};
  for (const GuestPhysRange& range : where.taken) {
    taken_pages.push_back(whole_pages(range));
    if (const auto end = taken_pages.back().end()) {
      starts.push_back(*end);
    }
  }
  for (const GuestPhysRange& range : where.ram) {
    starts.push_back(range.start());
  }
  std::sort(starts.begin(), starts.end());
  for (const GuestPhysAddr& start : starts) {
    const auto room = GuestPhysRange::make(start, size);
    if (!room || !start.is_aligned(kPageSize) || !where.window.contains(*room)) {
      continue;
    }
    const bool is_ram =
        std::any_of(where.ram.begin(), where.ram.end(),
                    [&](const GuestPhysRange& range) { return range.contains(*room); });
    const bool is_free =
        std::none_of(taken_pages.begin(), taken_pages.end(),
                     [&](const GuestPhysRange& range) { return range.overlaps(*room); });
    if (is_ram && is_free) {
      return room;
    }
  }
  return std::nullopt;
}

}  // namespace nestling
