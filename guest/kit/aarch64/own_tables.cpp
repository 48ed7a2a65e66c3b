// Tables of four levels with a 4 KiB granule (Arm ARM, "VMSAv8-64 translation using the 4KB
// granule").
#include "guest/kit/own_tables.h"

#include "guest/kit/aarch64/control.h"
#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

constexpr std::uint64_t kValid = 1U << 0;
constexpr std::uint64_t kTableOrPage = 1U << 1;   // else a block
constexpr std::uint64_t kNormalMemory = 1U << 2;  // attribute 1 of MAIR, see start.S; 0 is a device
constexpr std::uint64_t kUserAccess = 1U << 6;
constexpr std::uint64_t kReadOnly = 1U << 7;
constexpr std::uint64_t kInnerShareable = 3U << 8;
constexpr std::uint64_t kAccessed = 1U << 10;
constexpr std::uint64_t kNoKernelExecution = 1ULL << 53;
constexpr std::uint64_t kNoUserExecution = 1ULL << 54;
constexpr std::uint64_t kAddress = 0x0000'ffff'ffff'f000;

std::uint64_t bits_of(PageRights rights) {
  std::uint64_t bits = kValid | kAccessed;
  bits |= has(rights, PageRights::kDevice) ? 0 : kNormalMemory | kInnerShareable;
  bits |= has(rights, PageRights::kWrite) ? 0 : kReadOnly;
  bits |= has(rights, PageRights::kUser) ? kUserAccess : kNoUserExecution;
  bits |= has(rights, PageRights::kExecute) ? 0 : kNoKernelExecution | kNoUserExecution;
  return bits;
}

/// The table walker sees what was written to tables so far.
void publish_tables() { asm volatile("dsb ishst\n\tisb" : : : "memory"); }

}  // namespace

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
std::uint64_t& OwnTables::entry(std::uint64_t virt, std::uint64_t size) {
  std::uint64_t table = root_;
  for (std::uint64_t mapped = 1ULL << 39;; mapped /= 512) {
    std::uint64_t& here = at_address<std::uint64_t>(table)[virt / mapped % 512];
    if (mapped == size) {
      return here;
    }
    if ((here & kValid) == 0) {
      here = pages_.take() | kTableOrPage | kValid;
    }
    table = here & kAddress;
  }
}

void OwnTables::map(const Mapping& mapping) {
  entry(mapping.virt, mapping.size) =
      mapping.phys | bits_of(mapping.rights) | (mapping.size == kSmallPage ? kTableOrPage : 0);
  publish_tables();
}

void OwnTables::map_table(std::uint64_t virt, std::uint64_t table) {
  entry(virt, kBigPage) = table | kTableOrPage | kValid;
  publish_tables();
}

void OwnTables::use() const {
  publish_tables();
  aarch64::write_register<aarch64::kTtbr0>(root_);
  asm volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}

void forget_page(std::uint64_t virt) {
  asm volatile("dsb ishst\n\ttlbi vaae1is, %0\n\tdsb ish\n\tisb"
               :
               : "r"(virt >> 12 & 0xfff'ffff'ffff)
               : "memory");
}

}  // namespace nestling::guest
