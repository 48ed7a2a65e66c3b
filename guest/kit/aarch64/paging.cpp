// Walking and changing tables of four levels with a 4 KiB granule (Arm ARM, "VMSAv8-64 translation
// using the 4KB granule").
#include "guest/kit/paging.h"

#include "guest/kit/aarch64/control.h"
#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kValid = 1U << 0;
constexpr std::uint64_t kTableOrPage = 1U << 1;   // else a block
constexpr std::uint64_t kNormalMemory = 1U << 2;  // attribute 1 of MAIR, see start.S
constexpr std::uint64_t kUserAccess = 1U << 6;
constexpr std::uint64_t kReadOnly = 1U << 7;
constexpr std::uint64_t kInnerShareable = 3U << 8;
constexpr std::uint64_t kAccessed = 1U << 10;
constexpr std::uint64_t kNoUserExecution = 1ULL << 54;
constexpr std::uint64_t kAddress = 0x0000'ffff'ffff'f000;
constexpr std::uint64_t kEntriesPerTable = 512;

std::uint64_t* table_at(std::uint64_t entry) { return at_address<std::uint64_t>(entry & kAddress); }

std::uint64_t bits_of(Rights rights) {
  std::uint64_t bits = allows(rights, Rights::kWrite) ? 0 : kReadOnly;
  bits |= allows(rights, Rights::kUser) ? kUserAccess : kNoUserExecution;
  return bits;
}

constexpr std::uint64_t kMemory = kValid | kNormalMemory | kInnerShareable | kAccessed;

/// What was written to tables counts from here on, and what the CPU remembers of `virt` does not.
void invalidate_page(VirtAddr virt) {
  asm volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb"
               :
               : "r"(static_cast<std::uint64_t>(virt) >> 12 & 0xfff'ffff'ffff)
               : "memory");
}

/// Makes a table of 512 smaller pages that maps what `large`, an entry of `level`, does. The entry
/// is invalid in between, as the architecture wants it; nobody may run from there.
void split(std::uint64_t& large, unsigned level, std::uint64_t* table, VirtAddr virt) {
  const std::uint64_t step = level == 3 ? kLargePageSize : kPageSize;
  const std::uint64_t flags = (large & ~kAddress) | (level == 2 ? kTableOrPage : 0);
  const std::uint64_t base = large & kAddress;
  for (std::uint64_t i = 0; i < kEntriesPerTable; ++i) {
    table[i] = (base + i * step) | flags;
  }
  large = 0;
  invalidate_page(virt);
  large = address_of(table) | kTableOrPage | kValid;
}

}  // namespace

std::uint64_t& PageTables::entry(VirtAddr virt, unsigned level) {
  std::uint64_t* table = table_at(aarch64::read_register<aarch64::kTtbr0>());
  for (unsigned at = 4;; --at) {
    const std::uint64_t index =
        (static_cast<std::uint64_t>(virt) >> (12 + 9 * (at - 1))) % kEntriesPerTable;
    std::uint64_t& here = table[index];
    if (at == level) {
      return here;
    }
    if ((here & kValid) == 0) {
      here = address_of(pages_.take()) | kTableOrPage | kValid;
    } else if ((here & kTableOrPage) == 0) {
      split(here, at, pages_.take(), virt);
    }
    table = table_at(here);
  }
}

void PageTables::map(VirtAddr virt, PhysAddr phys, Rights rights) {
  std::uint64_t& leaf = entry(virt, 1);
  leaf = 0;
  invalidate_page(virt);
  leaf = static_cast<std::uint64_t>(phys) | kMemory | kTableOrPage | bits_of(rights);
  invalidate_page(virt);
}

void PageTables::map_large(VirtAddr virt, PhysAddr phys, Rights rights) {
  std::uint64_t& leaf = entry(virt, 2);
  leaf = 0;
  invalidate_page(virt);
  leaf = static_cast<std::uint64_t>(phys) | kMemory | bits_of(rights);
  invalidate_page(virt);
}

void PageTables::protect(VirtAddr virt, Rights rights) {
  std::uint64_t& leaf = entry(virt, 1);
  leaf = (leaf & ~(kUserAccess | kReadOnly | kNoUserExecution)) | bits_of(rights);
  invalidate_page(virt);
}

void PageTables::unmap(VirtAddr virt) {
  entry(virt, 1) = 0;
  invalidate_page(virt);
}

}  // namespace nestling::guest
