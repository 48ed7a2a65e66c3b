// Walking and changing 4-level page tables (Intel SDM volume 3, "4-Level Paging").
#include "guest/kit/paging.h"

#include "guest/kit/physical.h"
#include "guest/kit/x86_64/control.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kPresent = 1U << 0;
constexpr std::uint64_t kWritable = 1U << 1;
constexpr std::uint64_t kUserAccess = 1U << 2;
constexpr std::uint64_t kLarge = 1U << 7;
constexpr std::uint64_t kAddress = 0x000f'ffff'ffff'f000;
/// In entries above a leaf, which narrow nothing: the leaf decides.
constexpr std::uint64_t kOpen = kPresent | kWritable | kUserAccess;
constexpr std::uint64_t kEntriesPerTable = 512;

std::uint64_t bits_of(Rights rights) {
  return (allows(rights, Rights::kWrite) ? kWritable : 0) |
         (allows(rights, Rights::kUser) ? kUserAccess : 0);
}

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

std::uint64_t& PageTables::entry(VirtAddr virt, unsigned level) {
  std::uint64_t* table = table_at(x86_64::read_cr3());
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
  entry(virt, 1) = static_cast<std::uint64_t>(phys) | kPresent | bits_of(rights);
  invalidate_page(virt);
}

void PageTables::map_large(VirtAddr virt, PhysAddr phys, Rights rights) {
  entry(virt, 2) = static_cast<std::uint64_t>(phys) | kPresent | kLarge | bits_of(rights);
  invalidate_page(virt);
}

void PageTables::protect(VirtAddr virt, Rights rights) {
  std::uint64_t& leaf = entry(virt, 1);
  leaf = (leaf & ~(kWritable | kUserAccess)) | bits_of(rights);
  invalidate_page(virt);
}

void PageTables::unmap(VirtAddr virt) {
  entry(virt, 1) = 0;
  invalidate_page(virt);
}

}  // namespace nestling::guest
