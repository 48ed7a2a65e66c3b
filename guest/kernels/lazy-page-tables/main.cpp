// Proves that page tables may stand in memory that nobody has touched: the processor, walking,
// finds zeros there, as does the VMM, and then what is written; status 0.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/probe.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kWindow = 0x20'0000'0000;
constexpr PageRights kAll = PageRights::kWrite | PageRights::kExecute;

/// A table that nobody has touched: what it should map must fault, in the VMM's eyes too.
void check_untouched(std::uint64_t virt) {
  const Probe made = probe_read(virt);
  expect(made.faulted, "a fault at {}, whose table is zero", hex(virt));
  if (has_test_device()) {
    const Translation told = vmm_translation(virt, 0);
    expect(told.status == TestStatus::kGuestFault && told.fault_code == made.fault_code,
           "the same fault, {}, from the VMM at {}, not status {}, code {}", hex(made.fault_code),
           hex(virt), static_cast<std::uint64_t>(told.status), hex(told.fault_code));
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const std::uint64_t rounds = command_line_number(info, "rounds").value_or(4);
  const MemoryRange usable = largest_usable(info);
  // From the top down: tables of the identity map, then for each round a table and its page, each
  // in a big page of its own.
  const std::uint64_t top = usable.start + usable.size;
  PageSource pages{.next = top - kBigPage, .end = top};
  OwnTables tables(pages);
  tables.map_identity(info);
  tables.use();
  expect(usable.size > (2 * rounds + 4) * kBigPage, "more memory for {} rounds", rounds);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const std::uint64_t virt = kWindow + round * kBigPage + 3 * kSmallPage;
    const std::uint64_t table = top - (2 * round + 2) * kBigPage;
    const std::uint64_t page = table - kBigPage;
    tables.map_table(virt, table);
    check_untouched(virt);
    tables.map({.virt = virt, .phys = page, .rights = kAll});
    forget_page(virt);
    const Probe read = probe_read(virt);
    expect(!read.faulted && read.value == 0, "zero at {}", hex(virt));
    expect(!probe_write(virt, page).faulted, "a page at {} to write to", hex(virt));
    expect(*at_address<volatile std::uint64_t>(page) == page, "what was written at {} in {}",
           hex(virt), hex(page));
  }
  print("{} tables in memory that nobody had touched\n", rounds);
  return 0;
}

}  // namespace nestling::guest
