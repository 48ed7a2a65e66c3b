// Proves that two ranges over the same memory show the same bytes, whichever is touched first;
// status 0. Command line: alias=ADDRESS source=ADDRESS size=BYTES.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

std::uint64_t note_for(std::uint64_t at) { return ~at * 0x9e37'79b9'7f4a'7c15; }

/// Zero through both, then written through `first` and read through `second`, the kernel's and the
/// device's way.
void check_page(std::uint64_t first, std::uint64_t second) {
  for (std::uint64_t word = 0; word < kSmallPage; word += 504) {
    auto& here = *at_address<volatile std::uint64_t>(first + word);
    auto& there = *at_address<volatile std::uint64_t>(second + word);
    expect(here == 0 && there == 0, "zero at {} and {}", hex(first + word), hex(second + word));
    here = note_for(first + word);
    expect(there == note_for(first + word), "at {} what was written at {}", hex(second + word),
           hex(first + word));
    there = note_for(second + word);
    expect(here == note_for(second + word), "at {} what was written at {}", hex(first + word),
           hex(second + word));
    if (has_test_device()) {
      expect(device_read(first + word) == note_for(second + word), "the same from the device");
      device_write(second + word, word);
      expect(here == word && there == word, "what the device wrote at {}", hex(second + word));
    }
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const std::uint64_t alias = command_line_number(info, "alias").value_or(0);
  const std::uint64_t source = command_line_number(info, "source").value_or(0);
  const std::uint64_t size = command_line_number(info, "size").value_or(0);
  expect(size != 0, "alias=ADDRESS source=ADDRESS size=BYTES");
  for (std::uint64_t page = 0; page < size; page += kSmallPage) {
    // Every other page is touched through the alias first.
    if (page / kSmallPage % 2 == 0) {
      check_page(source + page, alias + page);
    } else {
      check_page(alias + page, source + page);
    }
  }
  print("{} pages are the same at {} and {}\n", size / kSmallPage, hex(source), hex(alias));
  return 0;
}

}  // namespace nestling::guest
