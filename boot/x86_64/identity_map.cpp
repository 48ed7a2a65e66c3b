// Six tables filled in.
#include "boot/x86_64/identity_map.h"

#include "base/check.h"

namespace nestling::x86_64 {

namespace {

constexpr std::uint64_t kEntries = kPageSize / sizeof(std::uint64_t);
constexpr std::uint64_t kDirectories = 4;
static_assert((2 + kDirectories) * kPageSize == kIdentityMapSize);
constexpr std::uint64_t kLargePage = std::uint64_t{2} << 20;
static_assert(kDirectories * kEntries * kLargePage == kIdentityMapped.size());

// Present, writable, accessed; a leaf also dirty and large.
constexpr std::uint64_t kTable = 0x23;
constexpr std::uint64_t kLeaf = 0xe3;

}  // namespace

std::vector<std::uint64_t> make_identity_map(GuestPhysAddr base) {
  check(base.is_aligned(kPageSize), "page tables start at a page");
  std::vector<std::uint64_t> entries(kIdentityMapSize / sizeof(std::uint64_t));
  entries[0] = (base.value() + kPageSize) | kTable;
  for (std::uint64_t directory = 0; directory < kDirectories; ++directory) {
    entries[kEntries + directory] = (base.value() + (2 + directory) * kPageSize) | kTable;
  }
  for (std::uint64_t page = 0; page < kDirectories * kEntries; ++page) {
    entries[2 * kEntries + page] = page * kLargePage | kLeaf;
  }
  return entries;
}

}  // namespace nestling::x86_64
