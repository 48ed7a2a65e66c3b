// Where the pages for tables come from.
#include "guest/kit/paging.h"

#include "guest/kit/boot_info.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"

namespace nestling::guest {

TablePages::TablePages(const BootInfo& info) {
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (entry.kind == MemoryKind::kUsable && entry.start + entry.size <= kIdentityMapped &&
        entry.size > next_ - lowest_) {
      lowest_ = entry.start;
      next_ = entry.start + entry.size;
    }
  }
  next_ &= ~(kPageSize - 1);
}

std::uint64_t* TablePages::take() {
  if (next_ < lowest_ + kPageSize) {
    panic("no memory for page tables");
  }
  next_ -= kPageSize;
  auto* const page = at_address<std::uint64_t>(next_);
  for (std::uint64_t i = 0; i < kPageSize / sizeof(std::uint64_t); ++i) {
    page[i] = 0;
  }
  return page;
}

}  // namespace nestling::guest
