// Proves that memory is zero until written and then keeps what was written, sparsely over all of a
// large machine: one page each stride=N bytes, in pseudo-random order, twice; status 0.
#include <array>
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/physical.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kWordsPerPage = kSmallPage / 8;
/// The words of a page that are written; all are looked at before.
constexpr std::array<std::uint64_t, 4> kWords = {0, 1, 255, kWordsPerPage - 1};

std::uint64_t pattern(std::uint64_t address) { return address * 0x9e37'79b9'7f4a'7c15 ^ ~address; }

bool is_usable(const BootInfo& info, std::uint64_t page) {
  // NOLINTNEXTLINE(readability-use-anyofallof): kernels have no <algorithm>.
  for (const MemoryMapEntry& entry : memory_map(info)) {
    if (entry.kind == MemoryKind::kUsable && entry.start <= page &&
        page - entry.start + kSmallPage <= entry.size) {
      return true;
    }
  }
  return false;
}

/// The numbers from 0 to below `count` in an order that jumps: a generator of full period.
class Shuffle {
 public:
  explicit Shuffle(std::uint64_t count) : count_(count) {
    while (period_ < count) {
      period_ *= 2;
    }
  }
  [[nodiscard]] std::uint64_t next() {
    do {
      state_ = (state_ * 0x5851'f42d'4c95'7f2d + 0x1405'7b7e'f767'814f) % period_;
    } while (state_ >= count_);
    return state_;
  }

 private:
  std::uint64_t count_;
  std::uint64_t period_ = 1;
  std::uint64_t state_ = 0;
};

void check_zero_and_write(std::uint64_t page) {
  auto* const words = at_address<volatile std::uint64_t>(page);
  for (std::uint64_t word = 0; word < kWordsPerPage; ++word) {
    expect(words[word] == 0, "zero at {}, not {}", hex(page + 8 * word), hex(words[word]));
  }
  for (const std::uint64_t word : kWords) {
    words[word] = pattern(page + 8 * word);
  }
}

void check_pattern(std::uint64_t page) {
  const auto* const words = at_address<const volatile std::uint64_t>(page);
  for (const std::uint64_t word : kWords) {
    const std::uint64_t at = page + 8 * word;
    expect(words[word] == pattern(at), "{} at {}, not {}", hex(pattern(at)), hex(at),
           hex(words[word]));
  }
  expect(words[2] == 0, "zero beside the pattern of page {}", hex(page));
}

/// Calls `visit(page)` for the usable one of every stride, all over the machine.
template <typename Visit>
std::uint64_t visit_pages(const BootInfo& info, std::uint64_t stride, Visit visit) {
  const MemoryMapEntry& last = memory_map(info).back();
  const std::uint64_t count = (last.start + last.size) / stride;
  Shuffle shuffle(count);
  std::uint64_t visited = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t number = shuffle.next();
    // Not the same page in each stride, or they would all be the first of a big page.
    const std::uint64_t page = number * stride + number * 7 * kSmallPage % stride;
    if (is_usable(info, page)) {
      visit(page);
      ++visited;
    }
  }
  return visited;
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const std::uint64_t stride = command_line_number(info, "stride").value_or(1 << 20);
  expect(stride != 0 && stride % kSmallPage == 0, "a stride of whole pages, not {}", stride);
  // The tables take their pages from where no stride does, the first big page behind the image.
  const MemoryRange usable = largest_usable(info);
  PageSource pages{.next = usable.start, .end = usable.start + usable.size};
  OwnTables tables(pages);
  tables.map_identity(info);
  tables.use();

  const auto is_table = [&](std::uint64_t page) {
    return page >= usable.start && page < pages.next;
  };
  const std::uint64_t written = visit_pages(info, stride, [&](std::uint64_t page) {
    if (!is_table(page)) {
      check_zero_and_write(page);
    }
  });
  const std::uint64_t read = visit_pages(info, stride, [&](std::uint64_t page) {
    if (!is_table(page)) {
      check_pattern(page);
    }
  });
  expect(read == written, "{} pages, not {}", written, read);
  print("{} pages, one each {} bytes, were zero and keep what is written\n", written, hex(stride));
  if (has_test_device()) {
    print("{} bytes resident\n", resident_bytes());
  }
  return 0;
}

}  // namespace nestling::guest
