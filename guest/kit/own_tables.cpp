// What of building tables is the same on every architecture.
#include "guest/kit/own_tables.h"

#include "guest/kit/boot_info.h"
#include "guest/kit/run_end.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kFourGiB = 1ULL << 32;

[[nodiscard]] bool is_memory(const MemoryMapEntry& entry) {
  return entry.kind == MemoryKind::kUsable || entry.kind == MemoryKind::kBoot ||
         entry.kind == MemoryKind::kImage;
}

/// True when some of the big page at `start` is RAM.
[[nodiscard]] bool has_memory(const BootInfo& info, std::uint64_t start) {
  // NOLINTNEXTLINE(readability-use-anyofallof): kernels have no <algorithm>.
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (is_memory(entry) && entry.start < start + kBigPage && start < entry.start + entry.size) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::uint64_t PageSource::take() {
  if (next >= end || end - next < kSmallPage) {
    panic("no memory for page tables");
  }
  const std::uint64_t page = next;
  next += step;
  return page;
}

void OwnTables::map_identity(const BootInfo& info) {
  std::uint64_t top = kFourGiB;
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (is_memory(entry) && entry.start + entry.size > top) {
      top = entry.start + entry.size;
    }
  }
  for (std::uint64_t at = 0; at < top; at += kBigPage) {
    const PageRights rights = has_memory(info, at) ? PageRights::kWrite | PageRights::kExecute
                                                   : PageRights::kWrite | PageRights::kDevice;
    map({.virt = at, .phys = at, .size = kBigPage, .rights = rights});
  }
}

MemoryRange largest_usable(const BootInfo& info) {
  MemoryRange largest;
  for (const MemoryMapEntry& entry : memory_map(info)) {
    const std::uint64_t end = (entry.start + entry.size) & ~(kBigPage - 1);
    const std::uint64_t start = (entry.start + kBigPage - 1) & ~(kBigPage - 1);
    if (entry.kind == MemoryKind::kUsable && end <= kFourGiB && end > start &&
        end - start > largest.size) {
      largest = {.start = start, .size = end - start};
    }
  }
  return largest;
}

}  // namespace nestling::guest
