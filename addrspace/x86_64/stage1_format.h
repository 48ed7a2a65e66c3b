// The guest's own x86 paging structures: modes, geometry, flags and reserved bits of every entry.
#pragma once

#include <cstdint>

#include "addrspace/address.h"

namespace nestling::x86_64 {

/// How the processor translates; Intel SDM volume 3, "Paging Modes".
enum class PagingMode : std::uint8_t { kOff, k32Bit, kPae, k4Level, k5Level };

inline constexpr std::uint64_t kCr0WriteProtect = 1ULL << 16;
inline constexpr std::uint64_t kCr0Paging = 1ULL << 31;
inline constexpr std::uint64_t kCr4Pse = 1ULL << 4;
inline constexpr std::uint64_t kCr4Pae = 1ULL << 5;
inline constexpr std::uint64_t kCr4FiveLevels = 1ULL << 12;
inline constexpr std::uint64_t kCr4Smep = 1ULL << 20;
inline constexpr std::uint64_t kCr4Smap = 1ULL << 21;
inline constexpr std::uint64_t kCr4UserKeys = 1ULL << 22;
inline constexpr std::uint64_t kCr4SupervisorKeys = 1ULL << 24;
inline constexpr std::uint64_t kEferLongMode = 1ULL << 8;
inline constexpr std::uint64_t kEferNoExecute = 1ULL << 11;

/// What of a CPU model decides about reserved bits.
struct PagingFeatures {
  /// MAXPHYADDR, 32 to 52.
  std::uint8_t physical_address_bits = 52;
  bool gigabyte_pages = true;
  /// How wide the address of a 4 MiB page may be: 32 without PSE-36, else up to 40. KVM gives 36.
  std::uint8_t large_page_address_bits = 40;
  /// AMD reserves bit 8 of entries above 1 GiB; Intel ignores it.
  bool bit8_reserved_on_top = false;
};

/// The registers that decide how an address translates, and the CPU's features.
struct PagingState {
  std::uint64_t cr0 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
  /// RFLAGS.AC, which lifts SMAP for explicit accesses; false for implicit ones (a read of the
  /// GDT).
  bool alignment_check = false;
  std::uint32_t pkru = 0;  ///< protection keys of user pages, looked at with CR4.PKE
  std::uint32_t pkrs = 0;  ///< of supervisor pages, with CR4.PKS
  PagingFeatures features;
};

[[nodiscard]] constexpr PagingMode paging_mode(const PagingState& state) {
  if ((state.cr0 & kCr0Paging) == 0) {
    return PagingMode::kOff;
  }
  if ((state.efer & kEferLongMode) != 0) {
    return (state.cr4 & kCr4FiveLevels) != 0 ? PagingMode::k5Level : PagingMode::k4Level;
  }
  return (state.cr4 & kCr4Pae) != 0 ? PagingMode::kPae : PagingMode::k32Bit;
}

/// Bits of an entry, the same in every mode that has them.
namespace stage1 {

inline constexpr std::uint64_t kPresent = 1ULL << 0;
inline constexpr std::uint64_t kWritable = 1ULL << 1;
inline constexpr std::uint64_t kUser = 1ULL << 2;
inline constexpr std::uint64_t kAccessed = 1ULL << 5;
inline constexpr std::uint64_t kDirty = 1ULL << 6;
inline constexpr std::uint64_t kPageSizeFlag = 1ULL << 7;
inline constexpr std::uint64_t kNoExecute = 1ULL << 63;
inline constexpr std::uint64_t kAddress64 = 0x000f'ffff'ffff'f000;
inline constexpr std::uint64_t kAddress32 = 0xffff'f000;

/// Bits `first` to `last`, both included; none when first > last.
[[nodiscard]] constexpr std::uint64_t bits(unsigned first, unsigned last) {
  return first > last ? 0 : (~0ULL >> (63 - last)) & (~0ULL << first);
}
static_assert(bits(0, 63) == ~0ULL && bits(12, 51) == kAddress64 && bits(52, 51) == 0);

/// Levels count up from 1, whose entries map 4 KiB.
[[nodiscard]] constexpr int top_level(PagingMode mode) {
  switch (mode) {
    case PagingMode::k32Bit:
      return 2;
    case PagingMode::kPae:
      return 3;
    case PagingMode::k4Level:
      return 4;
    case PagingMode::k5Level:
      return 5;
    case PagingMode::kOff:
      break;
  }
  return 0;
}

/// In bytes.
[[nodiscard]] constexpr std::uint8_t entry_size(PagingMode mode) {
  return mode == PagingMode::k32Bit ? 4 : 8;
}

/// The lowest bit of the linear address that selects an entry of this level; 1 << that is what one
/// entry maps.
[[nodiscard]] constexpr unsigned shift(PagingMode mode, int level) {
  const unsigned index_bits = mode == PagingMode::k32Bit ? 10 : 9;
  return 12 + index_bits * static_cast<unsigned>(level - 1);
}
static_assert(shift(PagingMode::k32Bit, 2) == 22 && shift(PagingMode::kPae, 3) == 30);
static_assert(shift(PagingMode::k5Level, 5) == 48);

/// Which entry of a table of this level `gva` uses.
[[nodiscard]] constexpr std::uint32_t index(PagingMode mode, int level, GuestVirtAddr gva) {
  const bool pae_top = mode == PagingMode::kPae && level == 3;
  const std::uint64_t mask = mode == PagingMode::k32Bit ? 0x3ff : pae_top ? 0x3 : 0x1ff;
  return static_cast<std::uint32_t>((gva.value() >> shift(mode, level)) & mask);
}

/// Whether `gva` is an address of the mode at all: canonical, or below 4 GiB.
[[nodiscard]] constexpr bool is_linear_address(PagingMode mode, GuestVirtAddr gva) {
  if (mode != PagingMode::k4Level && mode != PagingMode::k5Level) {
    return gva.value() <= 0xffff'ffff;
  }
  const unsigned sign_bit = mode == PagingMode::k4Level ? 47 : 56;
  const std::uint64_t sign = gva.value() >> sign_bit;
  return sign == 0 || sign == ~0ULL >> sign_bit;
}
static_assert(is_linear_address(PagingMode::k4Level, GuestVirtAddr(0x7fff'ffff'ffff)));
static_assert(!is_linear_address(PagingMode::k4Level, GuestVirtAddr(0x8000'0000'0000)));
static_assert(is_linear_address(PagingMode::k4Level, GuestVirtAddr(0xffff'8000'0000'0000)));
static_assert(!is_linear_address(PagingMode::k5Level, GuestVirtAddr(0x0100'0000'0000'0000)));

/// Where the top table starts.
[[nodiscard]] constexpr GuestPhysAddr root(PagingMode mode, std::uint64_t cr3) {
  switch (mode) {
    case PagingMode::k32Bit:
      return GuestPhysAddr(cr3 & kAddress32);
    case PagingMode::kPae:
      return GuestPhysAddr(cr3 & 0xffff'ffe0);
    default:
      return GuestPhysAddr(cr3 & kAddress64);
  }
}

/// Whether a present entry of this level maps a page. An entry that claims to at a level that
/// cannot is not a leaf but has a reserved bit set.
[[nodiscard]] constexpr bool is_leaf(std::uint64_t entry, const PagingState& state, PagingMode mode,
                                     int level) {
  if (level == 1) {
    return true;
  }
  if ((entry & kPageSizeFlag) == 0) {
    return false;
  }
  switch (mode) {
    case PagingMode::k32Bit:
      return (state.cr4 & kCr4Pse) != 0;
    case PagingMode::kPae:
      return level == 2;
    default:
      return level == 2 || (level == 3 && state.features.gigabyte_pages);
  }
}

/// The bits that must be 0 in a present entry; SDM volume 3, the figures "Formats of CR3 and
/// Paging-Structure Entries" of each mode.
[[nodiscard]] constexpr std::uint64_t reserved_bits(const PagingState& state, PagingMode mode,
                                                    int level, bool leaf) {
  const unsigned address_bits = state.features.physical_address_bits;
  if (mode == PagingMode::k32Bit) {
    // 20:13 of a 4 MiB page are address bits 39:32, as far as there are such bits.
    const unsigned width = state.features.large_page_address_bits < address_bits
                               ? state.features.large_page_address_bits
                               : address_bits;
    return level == 2 && leaf ? bits(width - 19, 21) : 0;
  }
  if (mode == PagingMode::kPae && level == 3) {
    return bits(1, 2) | bits(5, 8) | bits(address_bits, 63);
  }
  std::uint64_t reserved = bits(address_bits, mode == PagingMode::kPae ? 62 : 51);
  if ((state.efer & kEferNoExecute) == 0) {
    reserved |= kNoExecute;
  }
  if (leaf && level > 1) {
    reserved |= bits(13, shift(mode, level) - 1);
  }
  if (!leaf && level > 2) {
    reserved |= kPageSizeFlag;
  }
  if (level > 3 && state.features.bit8_reserved_on_top) {
    reserved |= bits(8, 8);
  }
  return reserved;
}

/// Where the table starts that a present entry that is no leaf points to.
[[nodiscard]] constexpr GuestPhysAddr next_table(PagingMode mode, std::uint64_t entry) {
  return GuestPhysAddr(entry & (mode == PagingMode::k32Bit ? kAddress32 : kAddress64));
}

/// Where the page starts that a leaf maps.
[[nodiscard]] constexpr GuestPhysAddr page(PagingMode mode, int level, std::uint64_t entry) {
  if (mode == PagingMode::k32Bit) {
    return level == 1 ? GuestPhysAddr(entry & kAddress32)
                      : GuestPhysAddr((entry & bits(22, 31)) | (entry & bits(13, 20)) << 19);
  }
  return GuestPhysAddr(entry & kAddress64).aligned_down(1ULL << shift(mode, level));
}
static_assert(page(PagingMode::k32Bit, 2, 0x8060'2083).value() == 0x1'8040'0000);
static_assert(page(PagingMode::k4Level, 3, 0x8000'0001'4000'1083).value() == 0x1'4000'0000);

}  // namespace stage1

}  // namespace nestling::x86_64
