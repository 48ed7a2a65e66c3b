// The guest's own RISC-V page tables: satp, and the entries of Sv39, Sv48 and Sv57.
#pragma once

#include <cstdint>
#include <optional>

#include "addrspace/address.h"

namespace nestling::riscv64 {

inline constexpr std::uint64_t kStatusSum = 1ULL << 18;
inline constexpr std::uint64_t kStatusMxr = 1ULL << 19;

/// What of a hart's extensions decides about entries.
struct TranslationFeatures {
  bool svnapot = false;  ///< entries that stand for 64 KiB
  bool svpbmt = false;   ///< memory types in entries
  /// Svadu: the hart writes A and D itself (menvcfg.ADUE); otherwise a clear one is a fault
  /// (Svade).
  bool hardware_flags = false;
};

/// The registers that decide how an address translates: the guest's own, vsatp and vsstatus on a
/// hart with the hypervisor extension.
struct TranslationState {
  std::uint64_t satp = 0;
  std::uint64_t sstatus = 0;
  TranslationFeatures features;
};

/// Bits and geometry; RISC-V privileged architecture, "Sv39: Page-Based 39-bit Virtual-Memory
/// System" and the sections after it.
namespace stage1 {

inline constexpr std::uint64_t kValid = 1ULL << 0;
inline constexpr std::uint64_t kRead = 1ULL << 1;
inline constexpr std::uint64_t kWrite = 1ULL << 2;
inline constexpr std::uint64_t kExecute = 1ULL << 3;
inline constexpr std::uint64_t kUser = 1ULL << 4;
inline constexpr std::uint64_t kAccessed = 1ULL << 6;
inline constexpr std::uint64_t kDirty = 1ULL << 7;
inline constexpr std::uint64_t kMemoryType = 3ULL << 61;
inline constexpr std::uint64_t kNapot = 1ULL << 63;
inline constexpr std::uint64_t kAlwaysReserved = 0x7fULL << 54;
/// Physical page numbers, in entries (bits 53:10) and in satp (43:0).
inline constexpr std::uint64_t kPpn = (1ULL << 44) - 1;
/// Guest-physical addresses have this many bits.
inline constexpr unsigned kPhysicalBits = 56;

/// satp.MODE; nothing for reserved values.
enum class Mode : std::uint8_t { kBare = 0, kSv39 = 8, kSv48 = 9, kSv57 = 10 };

[[nodiscard]] constexpr std::optional<Mode> mode(std::uint64_t satp) {
  switch (satp >> 60) {
    case 0:
      return Mode::kBare;
    case 8:
      return Mode::kSv39;
    case 9:
      return Mode::kSv48;
    case 10:
      return Mode::kSv57;
    default:
      return std::nullopt;
  }
}

/// Levels count down to 0, whose entries map 4 KiB.
[[nodiscard]] constexpr int top_level(Mode mode) { return static_cast<int>(mode) - 6; }
static_assert(top_level(Mode::kSv39) == 2 && top_level(Mode::kSv57) == 4);

/// The lowest bit of a virtual address that selects an entry of this level.
[[nodiscard]] constexpr unsigned shift(int level) { return 12 + 9 * static_cast<unsigned>(level); }

[[nodiscard]] constexpr std::uint32_t index(int level, GuestVirtAddr gva) {
  return static_cast<std::uint32_t>((gva.value() >> shift(level)) & 0x1ff);
}

/// Whether the bits above the mode's width repeat its highest bit.
[[nodiscard]] constexpr bool is_virtual_address(Mode mode, GuestVirtAddr gva) {
  const unsigned sign_bit = shift(top_level(mode)) + 8;
  const std::uint64_t sign = gva.value() >> sign_bit;
  return sign == 0 || sign == ~0ULL >> sign_bit;
}
static_assert(is_virtual_address(Mode::kSv39, GuestVirtAddr(0x3f'ffff'ffff)));
static_assert(!is_virtual_address(Mode::kSv39, GuestVirtAddr(0x40'0000'0000)));
static_assert(is_virtual_address(Mode::kSv57, GuestVirtAddr(0xff00'0000'0000'0000)));

[[nodiscard]] constexpr GuestPhysAddr root(std::uint64_t satp) {
  return GuestPhysAddr((satp & kPpn) << 12);
}

/// Where the table or the page of an entry starts; low bits of a 64 KiB entry still in it.
[[nodiscard]] constexpr GuestPhysAddr address(std::uint64_t entry) {
  return GuestPhysAddr(((entry >> 10) & kPpn) << 12);
}
static_assert(address(0x2000'00cf).value() == 0x8000'0000);

[[nodiscard]] constexpr bool is_leaf(std::uint64_t entry) {
  return (entry & (kRead | kExecute)) != 0;
}

/// Whether an entry is one the architecture defines, at that level and with those extensions.
[[nodiscard]] constexpr bool is_well_formed(const TranslationFeatures& features, int level,
                                            std::uint64_t entry) {
  if ((entry & kAlwaysReserved) != 0 || (entry & (kRead | kWrite)) == kWrite) {
    return false;
  }
  if (!is_leaf(entry)) {
    return level > 0 && (entry & (kUser | kAccessed | kDirty | kMemoryType | kNapot)) == 0;
  }
  const std::uint64_t type = entry & kMemoryType;
  if (type == kMemoryType || (type != 0 && !features.svpbmt)) {
    return false;
  }
  if ((entry & kNapot) != 0) {
    return features.svnapot && level == 0 && ((entry >> 10) & 0xf) == 8;
  }
  return address(entry).is_aligned(1ULL << shift(level));
}

/// The bytes a well-formed leaf maps.
[[nodiscard]] constexpr std::uint64_t leaf_size(int level, std::uint64_t entry) {
  return (entry & kNapot) != 0 ? 0x1'0000 : 1ULL << shift(level);
}

}  // namespace stage1

}  // namespace nestling::riscv64
