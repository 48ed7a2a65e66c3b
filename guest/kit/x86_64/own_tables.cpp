// 4-level tables (Intel SDM volume 3, "4-Level Paging").
#include "guest/kit/own_tables.h"

#include "guest/kit/physical.h"
#include "guest/kit/x86_64/control.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kPresent = 1U << 0;
constexpr std::uint64_t kWritable = 1U << 1;
constexpr std::uint64_t kUserPage = 1U << 2;
constexpr std::uint64_t kCacheDisable = 1U << 4;
constexpr std::uint64_t kLarge = 1U << 7;
constexpr std::uint64_t kNoExecute = 1ULL << 63;
constexpr std::uint64_t kAddress = 0x000f'ffff'ffff'f000;
/// Entries above a leaf narrow nothing: the leaf decides.
constexpr std::uint64_t kOpen = kPresent | kWritable | kUserPage;

std::uint64_t bits_of(PageRights rights) {
  return kPresent | (has(rights, PageRights::kWrite) ? kWritable : 0) |
         (has(rights, PageRights::kUser) ? kUserPage : 0) |
         (has(rights, PageRights::kDevice) ? kCacheDisable : 0) |
         (has(rights, PageRights::kExecute) ? 0 : kNoExecute);
}

}  // namespace

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
std::uint64_t& OwnTables::entry(std::uint64_t virt, std::uint64_t size) {
  std::uint64_t table = root_;
  for (std::uint64_t mapped = 1ULL << 39;; mapped /= 512) {
    std::uint64_t& here = at_address<std::uint64_t>(table)[virt / mapped % 512];
    if (mapped == size) {
      return here;
    }
    if ((here & kPresent) == 0) {
      here = pages_.take() | kOpen;
    }
    table = here & kAddress;
  }
}

void OwnTables::map(const Mapping& mapping) {
  entry(mapping.virt, mapping.size) =
      mapping.phys | bits_of(mapping.rights) | (mapping.size == kBigPage ? kLarge : 0);
}

void OwnTables::map_table(std::uint64_t virt, std::uint64_t table) {
  entry(virt, kBigPage) = table | kOpen;
}

void OwnTables::use() const {
  constexpr std::uint64_t kNoExecuteEnable = 1U << 11;
  // NOLINTNEXTLINE(google-build-using-namespace): the kit's own file for this architecture.
  using namespace x86_64;
  write_msr(Msr::kEfer, read_msr(Msr::kEfer) | kNoExecuteEnable);
  write_cr3(root_);
}

void forget_page(std::uint64_t virt) { asm volatile("invlpg (%0)" : : "r"(virt) : "memory"); }

}  // namespace nestling::guest
