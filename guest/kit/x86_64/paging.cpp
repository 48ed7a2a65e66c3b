// Walking and changing 4-level page tables.
#include "guest/kit/x86_64/paging.h"

#include "guest/kit/boot_info.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"
#include "guest/kit/x86_64/control.h"

namespace nestling::guest::x86_64 {
namespace {

constexpr std::uint64_t kPresent = 1U << 0;
constexpr std::uint64_t kLarge = 1U << 7;
constexpr std::uint64_t kAddress = 0x000f'ffff'ffff'f000;
/// In entries above a leaf, which narrow nothing: the leaf decides.
constexpr std::uint64_t kOpen =
    kPresent | static_cast<std::uint64_t>(Rights::kWrite | Rights::kUser);
constexpr std::uint64_t kEntriesPerTable = 512;

std::uint64_t* table_at(std::uint64_t entry) { return at_address<std::uint64_t>(entry & kAddress); }

/// Makes a table of 512 smaller pages that maps what `large`, an entry of `level`, does.
void split(std::uint64_t& large, unsigned level, std::uint64_t* table) {
  const std::uint64_t step = level == 3 ? kLargePageSize : kPageSize;
  const std::uint64_t flags = large & ~kAddress & (level == 3 ? ~0ULL : ~kLarge);
  for (std::uint64_t i = 0; i < kEntriesPerTable; ++i) {
    table[i] = ((large & kAddress) + i * step) | flags;
  }
  large = address_of(table) | kOpen;
}

void invalidate_page(VirtAddr virt) {
  asm volatile("invlpg (%0)" : : "r"(static_cast<std::uint64_t>(virt)) : "memory");
}

}  // namespace

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
  for (std::uint64_t i = 0; i < kEntriesPerTable; ++i) {
    page[i] = 0;
  }
  return page;
}

std::uint64_t& PageTables::entry(VirtAddr virt, unsigned level) {
  std::uint64_t* table = table_at(read_cr3());
  for (unsigned at = 4;; --at) {
    const std::uint64_t index =
        (static_cast<std::uint64_t>(virt) >> (12 + 9 * (at - 1))) % kEntriesPerTable;
    std::uint64_t& here = table[index];
    if (at == level) {
      return here;
    }
    if ((here & kPresent) == 0) {
      here = address_of(pages_.take()) | kOpen;
    } else if (at < 4 && (here & kLarge) != 0) {
      split(here, at, pages_.take());
    } else {
      here |= kOpen;
    }
    table = table_at(here);
  }
}

void PageTables::map(VirtAddr virt, PhysAddr phys, Rights rights) {
  entry(virt, 1) = static_cast<std::uint64_t>(phys) | kPresent | static_cast<std::uint64_t>(rights);
  invalidate_page(virt);
}

void PageTables::map_large(VirtAddr virt, PhysAddr phys, Rights rights) {
  entry(virt, 2) =
      static_cast<std::uint64_t>(phys) | kPresent | kLarge | static_cast<std::uint64_t>(rights);
  invalidate_page(virt);
}

void PageTables::protect(VirtAddr virt, Rights rights) {
  std::uint64_t& leaf = entry(virt, 1);
  leaf = (leaf & ~static_cast<std::uint64_t>(Rights::kWrite | Rights::kUser)) |
         static_cast<std::uint64_t>(rights);
  invalidate_page(virt);
}

void PageTables::unmap(VirtAddr virt) {
  entry(virt, 1) = 0;
  invalidate_page(virt);
}

}  // namespace nestling::guest::x86_64
