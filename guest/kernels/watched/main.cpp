// Touches a few words in a known order and in every width, for a run that watches them; status 0
// when they hold what was written, as they must whether or not somebody watches.
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"

namespace nestling::guest {

/// Alone in its page, so that a trap for it is a trap for nothing else; --watch names it.
// NOLINTNEXTLINE(misc-use-internal-linkage)
alignas(4096) volatile std::uint64_t watched[512];

namespace {

template <typename T>
void write_and_read(std::uint64_t offset, T value) {
  auto* const place =
      // NOLINTNEXTLINE(performance-no-int-to-ptr): a guest-physical address.
      reinterpret_cast<volatile T*>(reinterpret_cast<std::uintptr_t>(watched) + offset);
  *place = value;
  const T read = *place;
  expect(read == value, "{} written and {} read", hex(value), hex(read));
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  write_and_read<std::uint64_t>(0, 0x1122'3344'5566'7788);
  write_and_read<std::uint8_t>(2, 0xab);
  write_and_read<std::uint32_t>(6, 0xcafe'f00d);  // half of it in the second word
  write_and_read<std::uint16_t>(16, 0x1234);      // in the third
  // Not by memset(): arm64 describes no access of two registers to a hypervisor.
  watched[0] = 0x5a5a'5a5a'5a5a'5a5a;
  watched[1] = watched[0];
  expect(watched[0] == 0x5a5a'5a5a'5a5a'5a5a && watched[1] == watched[0], "two words of 0x5a");
  expect(watched[2] == 0x1234, "the third word untouched, not {}", hex(watched[2]));
  print("watched or not, memory is memory\n");
  return 0;
}

}  // namespace nestling::guest
