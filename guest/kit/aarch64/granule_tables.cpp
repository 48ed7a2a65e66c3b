// Tables whose entries are counted by the granule, and the way from one granule to another.
#include "guest/kit/aarch64/granule_tables.h"

#include "guest/kit/aarch64/control.h"
#include "guest/kit/aarch64/descriptor.h"
#include "guest/kit/physical.h"

namespace nestling::guest::aarch64 {
namespace {

constexpr SystemRegister kTcr{3, 0, 2, 0, 2};
constexpr unsigned kAddressBits = 42;

/// `count` bits of `value` from bit `first` on.
constexpr std::uint64_t field(std::uint64_t value, unsigned first, unsigned count) {
  return value >> first & ((1ULL << count) - 1);
}

}  // namespace

bool has_granule(Granule granule) {
  const std::uint64_t features = read_register<kMemoryFeatures0>();
  switch (granule) {
    case Granule::k4K:
      return field(features, 28, 4) != 0xf;
    case Granule::k16K:
      return field(features, 20, 4) != 0;
    case Granule::k64K:
      return field(features, 24, 4) != 0xf;
  }
  return false;
}

TranslationRegisters translation_registers() {
  return {.control = read_register<kTcr>(), .table = read_register<kTtbr0>()};
}

// With the MMU off meanwhile: nobody may see one register's old and the other's new value. Memory
// is not touched until it is on again.
void switch_translation(const TranslationRegisters& registers) {
  const std::uint64_t on = read_register<kSctlr>();
  const std::uint64_t off = on & ~std::uint64_t{1};
  asm volatile(
      "dsb sy\n\t"
      "msr sctlr_el1, %[off]\n\tisb\n\t"
      "msr tcr_el1, %[control]\n\tmsr ttbr0_el1, %[table]\n\tisb\n\t"
      "tlbi vmalle1\n\tdsb nsh\n\tisb\n\t"
      "msr sctlr_el1, %[on]\n\tisb"
      :
      : [on] "r"(on), [off] "r"(off), [control] "r"(registers.control), [table] "r"(registers.table)
      : "memory");
}

void GranuleTables::map(const Mapping& mapping) {
  const auto granule_bits = static_cast<unsigned>(granule_);
  const unsigned bits_of_level = granule_bits - 3;
  unsigned shift = granule_bits;
  while (shift + bits_of_level < kAddressBits) {
    shift += bits_of_level;
  }
  std::uint64_t table = root_;
  for (; mapping.size < 1ULL << shift; shift -= bits_of_level) {
    std::uint64_t& here =
        at_address<std::uint64_t>(table)[field(mapping.virt, shift, bits_of_level)];
    if ((here & kValid) == 0) {
      here = pages_.take() | kTableOrPage | kValid;
    }
    table = here & (((1ULL << 48) - 1) & ~(page_size(granule_) - 1));
  }
  at_address<std::uint64_t>(table)[field(mapping.virt, shift, bits_of_level)] =
      mapping.phys | bits_of(mapping.rights) |
      (mapping.size == page_size(granule_) ? kTableOrPage : 0);
  asm volatile("dsb ishst\n\tisb" : : : "memory");
}

void GranuleTables::map_identity() {
  constexpr std::uint64_t kGiB = 1U << 30;
  for (std::uint64_t at = 0; at < 4 * kGiB; at += block_size(granule_)) {
    const bool is_memory = at >= kGiB && at < 3 * kGiB;
    map({.virt = at,
         .phys = at,
         .size = block_size(granule_),
         .rights = PageRights::kWrite | (is_memory ? PageRights::kExecute : PageRights::kDevice)});
  }
}

TranslationRegisters GranuleTables::registers() const {
  constexpr std::uint64_t kSize = 0x3f;         // TCR_EL1.T0SZ
  constexpr std::uint64_t kGranule = 3U << 14;  // TCR_EL1.TG0
  std::uint64_t encoding = 0;
  if (granule_ != Granule::k4K) {
    encoding = granule_ == Granule::k64K ? 1 : 2;
  }
  return {.control =
              (read_register<kTcr>() & ~(kSize | kGranule)) | (64 - kAddressBits) | encoding << 14,
          .table = root_};
}

}  // namespace nestling::guest::aarch64
