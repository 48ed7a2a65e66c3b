// Proves that CPUs which touch a page for the first time at the same moment see each other's
// writes, and a device that reads and writes it meanwhile all of them: pages=N in lockstep; status
// 0. A CPU's write is made by the device in every fourth page, another CPU's in every other fourth.
#include <cstdint>
#include <optional>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/smp.h"
#include "guest/kit/sync.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kWordsPerPage = kSmallPage / 8;

constinit std::optional<Barrier> barrier;
constinit std::uint64_t first_page = 0;
constinit std::uint64_t page_count = 0;
constinit std::uint64_t stride = kSmallPage;

/// Each CPU's words lie all over the page, between those of the others.
std::uint64_t note_for(std::uint64_t page, unsigned cpu) { return page + cpu + 1; }

bool uses_device(std::uint64_t number, unsigned cpu) {
  return has_test_device() && number % 4 == cpu % 4;
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
void write_note(std::uint64_t page, std::uint64_t number, unsigned cpu) {
  const std::uint64_t at = page + 8ULL * cpu;
  if (uses_device(number, cpu)) {
    device_write(at, note_for(page, cpu));
  } else {
    *at_address<volatile std::uint64_t>(at) = note_for(page, cpu);
  }
}

void check_page(std::uint64_t page, unsigned self) {
  const auto* const words = at_address<const volatile std::uint64_t>(page);
  for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
    expect(words[cpu] == note_for(page, cpu), "CPU {} to see what CPU {} wrote in page {}, not {}",
           self, cpu, hex(page), hex(words[cpu]));
  }
  expect(words[kWordsPerPage - 1] == 0, "zero at the end of page {}", hex(page));
  if (has_test_device()) {
    const unsigned next = (self + 1) % cpu_count();
    expect(device_read(page + 8ULL * next) == note_for(page, next),
           "the device to see what CPU {} wrote in page {}", next, hex(page));
  }
}

void run() {
  const unsigned self = this_cpu();
  for (std::uint64_t number = 0; number < page_count; ++number) {
    const std::uint64_t page = first_page + number * stride;
    barrier->wait();
    write_note(page, number, self);
    barrier->wait();
    check_page(page, self);
  }
  barrier->wait();
}

}  // namespace

int kernel_main(const BootInfo& info) {
  expect(cpu_count() >= 2, "2 CPUs or more");
  const MemoryRange usable = largest_usable(info);
  page_count = command_line_number(info, "pages").value_or(256);
  stride = command_line_number(info, "stride").value_or(kSmallPage);
  first_page = usable.start;
  expect(page_count * stride <= usable.size, "memory for {} pages", page_count);
  barrier.emplace(cpu_count());
  for (unsigned cpu = 1; cpu < cpu_count(); ++cpu) {
    start_cpu(cpu, run);
  }
  run();
  print("{} CPUs touched {} pages at once\n", cpu_count(), page_count);
  return 0;
}

}  // namespace nestling::guest
