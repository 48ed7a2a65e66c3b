// Proves that memory given back is zero when it is touched again, that its neighbours keep what
// they hold, and that the VMM has less memory in between: pages=N, rounds=N; status 0.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

std::uint64_t note_for(std::uint64_t page, std::uint64_t round) { return page ^ (round + 1) << 1; }

struct Pages {
  std::uint64_t start = 0;
  std::uint64_t count = 0;

  [[nodiscard]] std::uint64_t address(std::uint64_t i) const { return start + i * kSmallPage; }
  [[nodiscard]] volatile std::uint64_t* words(std::uint64_t i) const {
    return at_address<volatile std::uint64_t>(address(i));
  }
};

void write_notes(const Pages& pages, std::uint64_t round) {
  for (std::uint64_t i = 0; i < pages.count; ++i) {
    pages.words(i)[0] = note_for(i, round);
    pages.words(i)[511] = ~note_for(i, round);
  }
}

/// Pages `first` to `last` are zero, the others hold their notes.
void check_notes(const Pages& pages, std::uint64_t first, std::uint64_t last, std::uint64_t round) {
  for (std::uint64_t i = 0; i < pages.count; ++i) {
    const bool is_discarded = i >= first && i <= last;
    const std::uint64_t start = is_discarded ? 0 : note_for(i, round);
    const std::uint64_t end = is_discarded ? 0 : ~note_for(i, round);
    expect(pages.words(i)[0] == start && pages.words(i)[511] == end,
           "{} and {} in page {} of round {}, not {} and {}", hex(start), hex(end), i, round,
           hex(pages.words(i)[0]), hex(pages.words(i)[511]));
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  need_test_device();
  const std::uint64_t rounds = command_line_number(info, "rounds").value_or(8);
  const Pages pages{.start = largest_usable(info).start + kBigPage,
                    .count = command_line_number(info, "pages").value_or(640)};
  expect(pages.count >= 16, "16 pages or more, not {}", pages.count);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    write_notes(pages, round);
    // Another piece each time, with ends inside granules and at their edges.
    const std::uint64_t first = round * 5 % (pages.count / 4);
    const std::uint64_t last = pages.count - 1 - round * 3 % (pages.count / 4);
    const std::uint64_t before = resident_bytes();
    const TestStatus status = discard(pages.address(first), (last - first + 1) * kSmallPage);
    expect(status == TestStatus::kOk, "to discard, not status {}",
           static_cast<std::uint64_t>(status));
    const std::uint64_t after = resident_bytes();
    expect(after + (last - first + 1) * kSmallPage <= before,
           "{} bytes fewer resident, of {}, not {}", (last - first + 1) * kSmallPage, before,
           after);
    check_notes(pages, first, last, round);
  }
  expect(discard(pages.start + 1, kSmallPage) == TestStatus::kBadArgument, "no half pages");
  expect(discard(kMmioExit, kSmallPage) == TestStatus::kUnmapped, "no discard of a device");
  print("{} rounds of memory given back\n", rounds);
  return 0;
}

}  // namespace nestling::guest
