// When to look at what the host has left, and whom to blame.
#include "vmm/memory/memory_watch.h"

#include <unistd.h>

#include <fstream>

namespace nestling {

namespace {

/// Populated between two looks: a fraction of any reserve, and worth many times the look.
constexpr std::uint64_t kBytesBetweenLooks = 8ULL << 20;

}  // namespace

std::uint64_t resident_bytes_of_process() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return file ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

Result<void> MemoryWatch::permits(const ViewChange& change) {
  if (change.kind != ViewChange::Kind::kPopulate || change.backend != Backend::kAlloc) {
    return {};
  }
  populated_since_look_ += change.range.size();
  if (populated_since_look_ < kBytesBetweenLooks) {
    return {};
  }
  const std::optional<HostRoom> room = host_.room();
  const std::uint64_t wanted = change.range.size();
  if (room && (room->bytes < wanted || room->bytes - wanted < room->reserve)) {
    return failure(Error{ErrorKind::kHostRefused, shortage_words(*room, resident_())});
  }
  populated_since_look_ = 0;
  return {};
}

std::optional<std::string> MemoryWatch::shortage() const {
  const std::optional<HostRoom> room = host_.room();
  if (!room || !room->is_short()) {
    return std::nullopt;
  }
  const std::uint64_t resident = resident_();
  if (resident < room->reserve) {
    return std::nullopt;
  }
  return shortage_words(*room, resident);
}

bool MemoryWatch::has_room_for(std::uint64_t bytes) const {
  const std::optional<HostRoom> room = host_.room();
  return !room || (room->bytes > room->reserve && room->bytes - room->reserve >= bytes);
}

}  // namespace nestling
