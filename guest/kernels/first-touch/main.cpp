// Measures what memory costs that nobody has touched yet: writes a word at `start=` and at every
// `stride=` bytes behind it, `count=` times, and prints how many ticks of the CPU's counter it
// took.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"
#include "guest/kit/tick_counter.h"

namespace nestling::guest {

namespace {

/// Memory below this is mapped where it is on every architecture when a kernel starts.
constexpr std::uint64_t kMapped = 4ULL << 30;

std::uint64_t number(const BootInfo& info, std::string_view name) {
  const auto value = command_line_number(info, name);
  expect(value.has_value(), "{}= on the command line", name);
  return *value;
}

/// True when `range` bytes from `start` on are RAM that nobody uses.
bool is_usable(const BootInfo& info, std::uint64_t start, std::uint64_t size) {
  // NOLINTNEXTLINE(readability-use-anyofallof): kernels have no <algorithm>.
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (entry.kind == MemoryKind::kUsable && start >= entry.start &&
        start - entry.start <= entry.size && size <= entry.size - (start - entry.start)) {
      return true;
    }
  }
  return false;
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const std::uint64_t start = number(info, "start");
  const std::uint64_t stride = number(info, "stride");
  const std::uint64_t count = number(info, "count");
  expect(stride >= sizeof(std::uint64_t) && count > 0 && count <= kMapped / stride &&
             is_usable(info, start, stride * count) && start + stride * count <= kMapped,
         "{} times {} bytes of free memory at {}", count, stride, hex(start));
  const std::uint64_t before = tick_count();
  for (std::uint64_t i = 0; i < count; ++i) {
    *at_address<volatile std::uint64_t>(start + i * stride) = i + 1;
  }
  const std::uint64_t after = tick_count();
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t found = *at_address<volatile std::uint64_t>(start + i * stride);
    expect(found == i + 1, "{} at {}, not {}", i + 1, hex(start + i * stride), found);
  }
  print("{} touches in {} ticks of {} a second\n", count, after - before, ticks_per_second());
  return 0;
}

}  // namespace nestling::guest
