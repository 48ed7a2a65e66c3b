// Proves that instructions may be fetched from memory that nobody has touched: the two zero bytes
// at the end of a page, which add AL to where RAX points, run on into a page that returns; status
// 0.
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

/// Calls the code at `where` with RAX pointing at `counter`; the low byte of RAX is what is added.
// NOLINTNEXTLINE(readability-non-const-parameter): code in memory writes through it.
void call_with_counter(std::uint64_t where, volatile std::uint8_t* counter) {
  asm volatile("call *%[where]" : : [where] "r"(where), "a"(counter) : "memory");
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const std::uint64_t rounds = command_line_number(info, "rounds").value_or(4);
  const MemoryRange usable = largest_usable(info);
  expect(usable.size > (rounds + 2) * kBigPage, "memory for {} rounds", rounds);
  auto* const counter = at_address<volatile std::uint8_t>(usable.start + 1);
  *counter = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    // The edge of a big page, so that no granule reaches over it.
    const std::uint64_t edge = usable.start + (round + 2) * kBigPage;
    put_return(edge);
    const std::uint64_t untouched = edge - 2;
    if (has_test_device() && round != 0) {
      expect(discard(edge - kBigPage, kBigPage) == TestStatus::kOk, "to discard the page before");
    }
    call_with_counter(untouched, counter);
    expect(*counter == round + 1, "the instruction at {} to have added {}, not {}", hex(untouched),
           round + 1, unsigned{*counter});
  }
  print("{} instructions fetched from untouched memory\n", rounds);
  return 0;
}

}  // namespace nestling::guest
