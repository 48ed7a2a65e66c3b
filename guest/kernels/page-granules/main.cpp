// Proves that the VMM translates as the processor does with every granule that the processor has:
// over tables of its own with pages and blocks of every right, each access is made and compared
// with what the VMM says of it; status 0. Needs 1 GiB of RAM, of which little is touched.
#include <array>
#include <cstdint>

#include "guest/kit/aarch64/granule_tables.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/test_device.h"
#include "guest/kit/translation_check.h"

namespace nestling::guest {
namespace {

using aarch64::Granule;
using aarch64::GranuleTables;
using aarch64::TranslationRegisters;

constexpr PageRights kAll = PageRights::kWrite | PageRights::kExecute;
constexpr std::array kRights = {kAll,
                                PageRights::kExecute,
                                PageRights::kWrite,
                                PageRights::kReadOnly,
                                kAll | PageRights::kUser,
                                PageRights::kUser | PageRights::kExecute};

/// Where the mappings stand, each a block from the next: nothing else is up there.
constexpr std::uint64_t kWindow = 0x100'0000'0000;
/// RAM for the tables, as much for each granule, and for the pages: whole blocks of any granule.
constexpr std::uint64_t kTables = 0x5000'0000;
constexpr std::uint64_t kTablesSize = 0x100'0000;
constexpr std::uint64_t kPages = 0x6000'0000;

std::uint64_t kilobytes(Granule granule) { return aarch64::page_size(granule) >> 10; }

void check_granule(Granule granule, std::uint64_t tables_start) {
  const std::uint64_t page = aarch64::page_size(granule);
  const std::uint64_t block = aarch64::block_size(granule);
  PageSource pages{.next = tables_start, .step = page, .end = tables_start + kTablesSize};
  GranuleTables tables(granule, pages);
  tables.map_identity();
  const auto virt_of = [&](std::size_t index) { return kWindow + index * block; };
  // The first half are pages, the second blocks.
  constexpr std::size_t kCount = 2 * kRights.size();
  const auto mapping_of = [&](std::size_t index) {
    const bool is_page = index < kRights.size();
    return Mapping{.virt = virt_of(index),
                   .phys = is_page ? kPages + (2 * index + 1) * page : kPages,
                   .size = is_page ? page : block,
                   .rights = kRights[index % kRights.size()]};
  };
  for (std::size_t index = 0; index < kCount; ++index) {
    tables.map(mapping_of(index));
  }
  const TranslationRegisters before = aarch64::translation_registers();
  aarch64::switch_translation(tables.registers());
  for (std::size_t index = 0; index < kCount; ++index) {
    const Mapping mapping = mapping_of(index);
    check_translations({.name = "a page or block", .rights = mapping.rights, .size = mapping.size},
                       mapping.virt, mapping.phys);
  }
  // Nothing behind a page, behind the last block, and below and above all addresses that there are.
  for (const std::uint64_t virt : {virt_of(0) + page, virt_of(kCount), kWindow / 2, kWindow * 4,
                                   std::uint64_t{0xffff'0000'0000'0000}}) {
    for (const std::uint64_t access : {std::uint64_t{0}, kTestFetch}) {
      expect(!compare_translation(virt, access), "nothing at {}", hex(virt));
    }
  }
  aarch64::switch_translation(before);
  print("pages of {} KiB translate as the processor does\n", kilobytes(granule));
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  need_test_device();
  std::uint64_t tables_start = kTables;
  for (const Granule granule : {Granule::k4K, Granule::k16K, Granule::k64K}) {
    if (aarch64::has_granule(granule)) {
      check_granule(granule, tables_start);
    } else {
      print("this processor has no pages of {} KiB\n", kilobytes(granule));
    }
    tables_start += kTablesSize;
  }
  return 0;
}

}  // namespace nestling::guest
