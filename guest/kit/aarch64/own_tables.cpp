// Tables of four levels with a 4 KiB granule (Arm ARM, "VMSAv8-64 translation using the 4KB
// granule").
#include "guest/kit/own_tables.h"

#include "guest/kit/aarch64/control.h"
#include "guest/kit/aarch64/descriptor.h"
#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

using aarch64::bits_of;
using aarch64::kTableOrPage;
using aarch64::kValid;

constexpr std::uint64_t kAddress = 0x0000'ffff'ffff'f000;

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
