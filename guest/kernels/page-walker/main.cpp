// Proves that the VMM translates as the processor does: over tables of its own with 4 KiB and 2 MiB
// pages of every right, each access is made and compared with what the VMM says of it; status 0.
#include <array>
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/test_device.h"
#include "guest/kit/translation_check.h"

namespace nestling::guest {
namespace {

constexpr PageRights kAll = PageRights::kWrite | PageRights::kExecute;
/// Where the mappings stand: nothing else is up there.
constexpr std::uint64_t kWindow = 0x10'0000'0000;

constexpr std::array kCases = {
    MappedPage{"small", kAll, kSmallPage},
    MappedPage{"small read-only", PageRights::kExecute, kSmallPage},
    MappedPage{"small no-execute", PageRights::kWrite, kSmallPage},
    MappedPage{"small constant", PageRights::kReadOnly, kSmallPage},
    MappedPage{"small user", kAll | PageRights::kUser, kSmallPage},
    MappedPage{"small user read-only", PageRights::kUser | PageRights::kExecute, kSmallPage},
    MappedPage{"big", kAll, kBigPage},
    MappedPage{"big read-only", PageRights::kExecute, kBigPage},
    MappedPage{"big no-execute", PageRights::kWrite, kBigPage},
    MappedPage{"big user", kAll | PageRights::kUser, kBigPage},
    MappedPage{"big user constant", PageRights::kUser, kBigPage},
};

std::uint64_t virt_of(std::size_t index) { return kWindow + index * 2 * kBigPage; }

/// Addresses that nothing maps.
void check_holes() {
  const std::uint64_t behind = virt_of(kCases.size());
  for (const std::uint64_t virt :
       {kWindow + kBigPage, virt_of(0) + kSmallPage, behind, kWindow * 4}) {
    for (const std::uint64_t access : {std::uint64_t{0}, kTestFetch}) {
      expect(!compare_translation(virt, access), "nothing at {}", hex(virt));
    }
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  need_test_device();
  MemoryRange usable = largest_usable(info);
  PageSource pages{.next = usable.start, .end = usable.start + kBigPage};
  OwnTables tables(pages);
  tables.map_identity(info);
  const auto phys_of = [&](std::size_t index) { return usable.start + (index + 1) * kBigPage; };
  for (std::size_t i = 0; i < kCases.size(); ++i) {
    tables.map({.virt = virt_of(i),
                .phys = phys_of(i),
                .size = kCases[i].size,
                .rights = kCases[i].rights});
  }
  tables.use();
  for (std::size_t i = 0; i < kCases.size(); ++i) {
    check_translations(kCases[i], virt_of(i), phys_of(i));
  }
  check_holes();
  print("{} kinds of pages translate as the processor does\n", kCases.size());
  return 0;
}

}  // namespace nestling::guest
