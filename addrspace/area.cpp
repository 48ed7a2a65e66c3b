// Areas cut and joined.
#include "addrspace/area.h"

#include "base/check.h"

namespace nestling {

Area Area::piece(GuestPhysRange part) const {
  check(range.contains(part) && !part.is_empty(), "piece of another area");
  Area result = *this;
  result.range = part;
  result.host = host_of(part.start());
  if (is_full()) {
    result.resident.set(part.size());
  } else if (resident.get() != 0 && part != range) {
    result.resident.set(kNotCounted);
  }
  return result;
}

bool Area::continues_in(const Area& next) const {
  return range.end() == next.range.start() && host.plus(range.size()) == next.host &&
         backend == next.backend && access == next.access && type == next.type &&
         audit == next.audit && name == next.name;
}

Area Area::joined_with(const Area& next) const {
  Area result = *this;
  result.range = GuestPhysRange::of(range.start(), range.size() + next.range.size());
  const bool counted = resident.get() != kNotCounted && next.resident.get() != kNotCounted;
  result.resident.set(counted ? resident.get() + next.resident.get() : kNotCounted);
  return result;
}

}  // namespace nestling
