// Where an atomic access goes.
#include "addrspace/guest_atomics.h"

namespace nestling {

Result<std::byte*, MemoryFault> atomic_place(GuestMemory& memory, GuestPhysAddr start,
                                             std::size_t size, Access access) {
  const auto range = GuestPhysRange::make(start, size);
  if (!range || !start.is_aligned(size)) {
    return failure(MemoryFault{MemoryFault::Reason::kMisaligned, start});
  }
  const auto spans = memory.spans(*range, access);
  if (!spans) {
    return failure(spans.error());
  }
  // Aligned to its size it lies in one page, and a page is one piece of the host's.
  check(spans->spans().size() == 1, "a page of guest memory in pieces");
  std::byte* const place = spans->spans().front().data();
  check(reinterpret_cast<std::uintptr_t>(place) % size == 0,
        "guest memory is aligned otherwise in the host");
  return place;
}

}  // namespace nestling
