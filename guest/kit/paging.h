// The page tables that are in use, changed in place: mapping what was left out, splitting large
// pages, opening pages to user mode.
#pragma once

#include <cstdint>

#include "guest/abi.h"

namespace nestling::guest {

enum class VirtAddr : std::uint64_t {};
enum class PhysAddr : std::uint64_t {};

inline constexpr std::uint64_t kPageSize = 4096;
inline constexpr std::uint64_t kLargePageSize = 2 << 20;
/// RAM below this is mapped where it is at entry; only there can tables be reached.
inline constexpr std::uint64_t kIdentityMapped = 4ULL << 30;

/// What a page allows besides reading; or'ed together.
enum class Rights : std::uint8_t { kReadOnly = 0, kWrite = 1U << 0, kUser = 1U << 1 };
[[nodiscard]] constexpr Rights operator|(Rights a, Rights b) {
  return static_cast<Rights>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr bool allows(Rights rights, Rights wanted) {
  return (static_cast<unsigned>(rights) & static_cast<unsigned>(wanted)) ==
         static_cast<unsigned>(wanted);
}

/// Zeroed pages for tables, from the top of the largest usable memory below 4 GiB downwards.
class TablePages {
 public:
  explicit TablePages(const BootInfo& info);
  /// A panic when there are no more.
  [[nodiscard]] std::uint64_t* take();

 private:
  std::uint64_t lowest_ = 0;
  std::uint64_t next_ = 0;
};

/// The tables that this CPU uses, of four levels. Needs `pages` for as long as it lives.
class PageTables {
 public:
  explicit PageTables(TablePages& pages) : pages_(pages) {}

  /// Maps the 4 KiB page at `virt`, whatever was there.
  void map(VirtAddr virt, PhysAddr phys, Rights rights);
  /// Maps the 2 MiB page at `virt`; there must be no table of small pages.
  void map_large(VirtAddr virt, PhysAddr phys, Rights rights);
  /// The 4 KiB page at `virt`, which is mapped, gets exactly these rights; a large page is split.
  void protect(VirtAddr virt, Rights rights);
  /// From now on an access to the 4 KiB page at `virt` is a page fault.
  void unmap(VirtAddr virt);

 private:
  /// The entry of `level` (1: 4 KiB, 2: 2 MiB) for `virt`; tables on the way are made.
  [[nodiscard]] std::uint64_t& entry(VirtAddr virt, unsigned level);

  TablePages& pages_;
};

}  // namespace nestling::guest
