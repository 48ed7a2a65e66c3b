// Proves that all memory the map promises is there: writes the first and the last byte of each
// usable region, also above 4 GiB, and reads them back; prints the sum, status 0.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/paging.h"
#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

/// Leaves the byte as it was; it may be part of a page table in use.
void touch(std::uint64_t address) {
  auto* const byte = at_address<volatile std::uint8_t>(address);
  const std::uint8_t before = *byte;
  const auto other = static_cast<std::uint8_t>(~before);
  *byte = other;
  const std::uint8_t read_back = *byte;
  *byte = before;
  expect(read_back == other, "{} at {}, not {}", hex(other), hex(address), hex(read_back));
}

/// Memory above what is mapped at entry is mapped where it is.
void map_if_high(PageTables& tables, std::uint64_t address) {
  if (address >= kIdentityMapped) {
    const std::uint64_t page = address & ~(kLargePageSize - 1);
    tables.map_large(static_cast<VirtAddr>(page), static_cast<PhysAddr>(page), Rights::kWrite);
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  TablePages pages(info);
  PageTables tables(pages);
  std::uint64_t usable = 0;
  std::uint64_t all = 0;
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (entry.kind != MemoryKind::kReserved) {
      all += entry.size;
    }
    if (entry.kind != MemoryKind::kUsable) {
      continue;
    }
    usable += entry.size;
    for (const std::uint64_t address : {entry.start, entry.start + entry.size - 1}) {
      map_if_high(tables, address);
      touch(address);
    }
    print("{} to {} is memory\n", hex16(entry.start), hex16(entry.start + entry.size - 1));
  }
  print("{} bytes of memory, {} of them usable\n", all, usable);
  return 0;
}

}  // namespace nestling::guest
