// Page tables of a kernel's own: 4 KiB and 2 MiB pages with their rights, the same on every
// architecture.
#pragma once

#include <cstdint>

#include "guest/abi.h"

namespace nestling::guest {

inline constexpr std::uint64_t kSmallPage = 4096;
inline constexpr std::uint64_t kBigPage = 2 << 20;

/// Pages for tables: `start`, `start + step` … below `end`, all mapped where they are and zero.
struct PageSource {
  std::uint64_t next = 0;
  std::uint64_t step = kSmallPage;
  std::uint64_t end = 0;

  /// A panic when there are no more.
  [[nodiscard]] std::uint64_t take();
};

/// What a page allows the kernel besides reading, and whom; or'ed together.
enum class PageRights : std::uint8_t {
  kReadOnly = 0,
  kWrite = 1,
  kExecute = 2,
  kUser = 4,
  kDevice = 8,  // registers, not memory
};
[[nodiscard]] constexpr PageRights operator|(PageRights a, PageRights b) {
  return static_cast<PageRights>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool has(PageRights rights, PageRights right) {
  return (static_cast<unsigned>(rights) & static_cast<unsigned>(right)) != 0;
}

struct Mapping {
  std::uint64_t virt = 0;
  std::uint64_t phys = 0;
  std::uint64_t size = kSmallPage;  // kSmallPage or kBigPage, to which both addresses are aligned
  PageRights rights = PageRights::kReadOnly;
};

/// Needs `pages` for as long as it lives. Virtual addresses below 2^47.
class OwnTables {
 public:
  explicit OwnTables(PageSource& pages) : pages_(pages), root_(pages.take()) {}

  /// Adds a page, where there is none yet.
  void map(const Mapping& mapping);
  /// All of RAM, and the addresses below 4 GiB that are none, where they are: memory with every
  /// right, the rest as devices.
  void map_identity(const BootInfo& info);
  /// A table of small pages for `virt` that stands at `table`, whatever is in it.
  void map_table(std::uint64_t virt, std::uint64_t table);

  /// This CPU translates by them from now on; they map this code where it is.
  void use() const;

 private:
  /// The entry for `virt` in a table whose entries map `size` bytes; tables above it are made.
  [[nodiscard]] std::uint64_t& entry(std::uint64_t virt, std::uint64_t size);

  PageSource& pages_;
  std::uint64_t root_;
};

/// This CPU forgets what it knows of the page at `virt`, after its entry was changed.
void forget_page(std::uint64_t virt);

/// The largest usable memory: whole big pages, mapped where it is when a kernel starts.
struct MemoryRange {
  std::uint64_t start = 0;
  std::uint64_t size = 0;
};
[[nodiscard]] MemoryRange largest_usable(const BootInfo& info);

}  // namespace nestling::guest
