// Proves that nothing is lost in a storm of faults: in each of `rounds=` rounds every CPU touches
// all `pages=` pages in a random order of its own, while the test device reads pages at random;
// then every word is checked, and all of it discarded for the next round; status 0.
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
/// Between two reads of the device.
constexpr std::uint64_t kPagesPerRead = 16;

constinit std::optional<Barrier> barrier;
constinit std::uint64_t first_page = 0;
constinit std::uint64_t page_count = 0;  // a power of two
constinit std::uint64_t round_count = 0;

/// Every number below page_count once, and then again: a full period needs an odd increment and a
/// multiplier of 1 modulo 4 (Hull and Dobell).
class RandomOrder {
 public:
  explicit RandomOrder(std::uint64_t seed) : increment_(seed * 2 + 1), number_(seed) {}

  std::uint64_t next() {
    constexpr std::uint64_t kMultiplier = 0x5851'f42d'4c95'7f2d;
    number_ = (number_ * kMultiplier + increment_) & (page_count - 1);
    return number_;
  }

 private:
  std::uint64_t increment_;
  std::uint64_t number_;
};

std::uint64_t page_at(std::uint64_t number) { return first_page + number * kSmallPage; }

std::uint64_t note_for(std::uint64_t page, unsigned cpu, std::uint64_t round) {
  return page + cpu + 1 + (round << 48);
}

/// What a CPU wrote is there or not there yet; nothing else may be.
void look_through_device(std::uint64_t page, unsigned cpu, std::uint64_t round) {
  const std::uint64_t seen = device_read(page + 8ULL * cpu);
  expect(seen == 0 || seen == note_for(page, cpu, round),
         "the device to see zero or {} of CPU {} in page {}, not {}",
         hex(note_for(page, cpu, round)), cpu, hex(page), hex(seen));
}

void touch_all(unsigned self, std::uint64_t round) {
  RandomOrder order(self + round * cpu_count());
  RandomOrder others(self + 77);
  for (std::uint64_t i = 0; i < page_count; ++i) {
    const std::uint64_t page = page_at(order.next());
    at_address<volatile std::uint64_t>(page)[self] = note_for(page, self, round);
    if (i % kPagesPerRead == 0) {
      look_through_device(page_at(others.next()), (self + 1) % cpu_count(), round);
    }
  }
}

/// This CPU's share of the pages, every word that was written and one that was not.
void check_share(unsigned self, std::uint64_t round) {
  for (std::uint64_t number = self; number < page_count; number += cpu_count()) {
    const std::uint64_t page = page_at(number);
    const auto* const words = at_address<const volatile std::uint64_t>(page);
    for (unsigned cpu = 0; cpu < cpu_count(); ++cpu) {
      expect(words[cpu] == note_for(page, cpu, round), "what CPU {} wrote in page {}, not {}", cpu,
             hex(page), hex(words[cpu]));
    }
    expect(words[kWordsPerPage - 1] == 0, "zero at the end of page {}", hex(page));
  }
}

void run() {
  const unsigned self = this_cpu();
  for (std::uint64_t round = 0; round < round_count; ++round) {
    barrier->wait();
    touch_all(self, round);
    barrier->wait();
    check_share(self, round);
    barrier->wait();
    if (self == 0 && round + 1 < round_count) {
      const TestStatus status = discard(first_page, page_count * kSmallPage);
      expect(status == TestStatus::kOk, "the pages discarded, not status {}",
             static_cast<std::uint64_t>(status));
    }
  }
  barrier->wait();
}

}  // namespace

int kernel_main(const BootInfo& info) {
  need_test_device();
  expect(cpu_count() >= 2 && cpu_count() < kWordsPerPage, "2 CPUs or more");
  const MemoryRange usable = largest_usable(info);
  page_count = command_line_number(info, "pages").value_or(1024);
  round_count = command_line_number(info, "rounds").value_or(2);
  first_page = (usable.start + kSmallPage - 1) & ~(kSmallPage - 1);
  expect(page_count != 0 && (page_count & (page_count - 1)) == 0, "a power of two of pages");
  expect(page_count * kSmallPage <= usable.size, "memory for {} pages", page_count);
  barrier.emplace(cpu_count());
  for (unsigned cpu = 1; cpu < cpu_count(); ++cpu) {
    start_cpu(cpu, run);
  }
  run();
  print("{} rounds of {} pages, {} CPUs, nothing lost\n", round_count, page_count, cpu_count());
  return 0;
}

}  // namespace nestling::guest
