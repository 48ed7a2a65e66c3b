// Proves that a read-only area holds its file's bytes whatever is written to it: byte i of the file
// is 7 * i + 3 modulo 256; status 0. Command line: rom=ADDRESS size=BYTES.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

std::uint8_t byte_of_file(std::uint64_t i) { return static_cast<std::uint8_t>(7 * i + 3); }

struct Rom {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
};

void check_contents(const Rom& rom) {
  const auto* const bytes = at_address<const volatile std::uint8_t>(rom.start);
  for (std::uint64_t i = 0; i < rom.size; ++i) {
    expect(bytes[i] == byte_of_file(i), "{} at {}, not {}", byte_of_file(i), hex(rom.start + i),
           bytes[i]);
  }
  // The rest of its last page belongs to it too.
  for (std::uint64_t i = rom.size; i % kSmallPage != 0; ++i) {
    expect(bytes[i] == 0, "zero behind the file's end, at {}", hex(rom.start + i));
  }
}

/// Returns how many writes that was.
unsigned write_all_over(const Rom& rom) {
  unsigned writes = 0;
  for (std::uint64_t at = rom.start; at + 16 <= rom.start + rom.size; at += kSmallPage / 2) {
    *at_address<volatile std::uint8_t>(at) = 0xa5;
    *at_address<volatile std::uint16_t>(at + 2) = 0xa5a5;
    *at_address<volatile std::uint32_t>(at + 4) = 0xa5a5'a5a5;
    *at_address<volatile std::uint64_t>(at + 8) = 0xa5a5'a5a5'a5a5'a5a5;
    writes += 4;
  }
  return writes;
}

bool is_in_memory_map(const BootInfo& info, const Rom& rom) {
  // NOLINTNEXTLINE(readability-use-anyofallof): kernels have no <algorithm>.
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (entry.kind == MemoryKind::kRom && entry.start == rom.start && entry.size >= rom.size) {
      return true;
    }
  }
  return false;
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const Rom rom{.start = command_line_number(info, "rom").value_or(0),
                .size = command_line_number(info, "size").value_or(0)};
  expect(rom.size != 0, "rom=ADDRESS size=BYTES");
  expect(is_in_memory_map(info, rom), "the ROM in the memory map");
  // The last page first: where pages come one by one, each brings its own bytes.
  expect(*at_address<volatile std::uint8_t>(rom.start + rom.size - 1) == byte_of_file(rom.size - 1),
         "the file's last byte");
  const unsigned writes = write_all_over(rom);
  check_contents(rom);
  if (has_test_device()) {
    expect(try_device_write(rom.start, 8, 0) == TestStatus::kDenied, "no write by a device");
    const VmmPage page = vmm_page(rom.start);
    expect(page.area == TestAreaKind::kRom && (page.rights & kTestWritable) == 0,
           "a page of ROM in the VMM's eyes");
  }
  print("{} writes left the ROM as it was\n", writes);
  return 0;
}

}  // namespace nestling::guest
