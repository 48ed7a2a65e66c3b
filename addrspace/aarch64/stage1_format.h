// The guest's own AArch64 tables for EL1 and EL0: registers, geometry and descriptors of stage 1.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "addrspace/address.h"

namespace nestling::aarch64 {

inline constexpr std::uint64_t kSctlrMmu = 1ULL << 0;
inline constexpr std::uint64_t kSctlrWxn = 1ULL << 19;
inline constexpr std::uint64_t kSctlrBigEndian = 1ULL << 25;
inline constexpr std::uint64_t kSctlrEpan = 1ULL << 57;
inline constexpr std::uint64_t kTcrHardwareAccess = 1ULL << 39;
inline constexpr std::uint64_t kTcrHardwareDirty = 1ULL << 40;
inline constexpr std::uint64_t kTcrDescriptor52 = 1ULL << 59;

/// What of a CPU model decides about tables.
struct TranslationFeatures {
  /// ID_AA64MMFR0_EL1.PARange, as bits: 32, 36, 40, 42, 44, 48 or 52.
  std::uint8_t physical_address_bits = 48;
  bool lva = false;             ///< FEAT_LVA: 52-bit virtual addresses with the 64 KiB granule
  bool lpa2 = false;            ///< FEAT_LPA2: TCR_EL1.DS and 52 bits with 4 and 16 KiB
  bool small_tables = false;    ///< FEAT_TTST: TxSZ up to 48
  bool hardware_flags = false;  ///< FEAT_HAFDBS: TCR_EL1.HA and HD
};

/// The registers that decide how an address translates at EL1 and EL0, and the CPU's features.
struct TranslationState {
  std::uint64_t sctlr = 0;
  std::uint64_t tcr = 0;
  std::uint64_t ttbr0 = 0;
  std::uint64_t ttbr1 = 0;
  bool pan = false;  ///< PSTATE.PAN
  TranslationFeatures features;
};

/// Bits and geometry; Arm Architecture Reference Manual, "The AArch64 Virtual Memory System
/// Architecture".
namespace stage1 {

inline constexpr std::uint64_t kValid = 1ULL << 0;
inline constexpr std::uint64_t kTableOrPage = 1ULL << 1;
inline constexpr std::uint64_t kUserAccess = 1ULL << 6;  ///< AP[1]
inline constexpr std::uint64_t kReadOnly = 1ULL << 7;    ///< AP[2]
inline constexpr std::uint64_t kAccessFlag = 1ULL << 10;
inline constexpr std::uint64_t kDirtyModifier = 1ULL << 51;
inline constexpr std::uint64_t kPrivilegedNoExecute = 1ULL << 53;
inline constexpr std::uint64_t kUserNoExecute = 1ULL << 54;
inline constexpr std::uint64_t kTablePrivilegedNoExecute = 1ULL << 59;
inline constexpr std::uint64_t kTableUserNoExecute = 1ULL << 60;
inline constexpr std::uint64_t kTableNoUserAccess = 1ULL << 61;  ///< APTable[0]
inline constexpr std::uint64_t kTableReadOnly = 1ULL << 62;      ///< APTable[1]

/// `count` bits of `value` from bit `first` on.
[[nodiscard]] constexpr std::uint64_t field(std::uint64_t value, unsigned first, unsigned count) {
  return (value >> first) & ((1ULL << count) - 1);
}

/// Where descriptors and TTBRs keep address bits above 47.
enum class HighBits : std::uint8_t {
  kNone,         ///< nowhere: addresses have 48 bits
  kGranule64K,   ///< FEAT_LPA: 51:48 in bits 15:12
  kDescriptor52  ///< FEAT_LPA2 with TCR.DS: 49:48 in place, 51:50 in bits 9:8
};

/// How the half of the address space that `gva` belongs to is translated.
struct Half {
  std::uint64_t base = 0;          ///< its TTBR
  std::uint8_t granule_bits = 12;  ///< 12, 14 or 16
  std::uint8_t size_bits = 0;      ///< TxSZ as it stands: the half has 64 - TxSZ address bits
  std::uint8_t output_bits = 48;   ///< what TCR.IPS and the CPU leave of the output address
  HighBits high_bits = HighBits::kNone;
  bool upper = false;
  bool ignores_top_byte = false;  ///< TBIx, and not TBIDx for fetches
  bool no_table_rights = false;   ///< HPDx
  bool no_user_access = false;    ///< E0PDx

  [[nodiscard]] constexpr unsigned input_bits() const { return 64U - size_bits; }
  /// Address bits that one level resolves.
  [[nodiscard]] constexpr unsigned stride() const { return granule_bits - 3U; }
  /// The lowest address bit that selects a descriptor of this level; levels count up to 3.
  [[nodiscard]] constexpr unsigned shift(int level) const {
    return granule_bits + stride() * static_cast<unsigned>(3 - level);
  }
  /// The level a walk starts at, -1 to 3.
  [[nodiscard]] constexpr int first_level() const {
    const unsigned table_bits = input_bits() - granule_bits;
    return 4 - static_cast<int>((table_bits + stride() - 1) / stride());
  }
  [[nodiscard]] constexpr std::uint32_t index(int level, GuestVirtAddr gva) const {
    const unsigned bits = level == first_level() ? input_bits() - shift(level) : stride();
    return static_cast<std::uint32_t>(field(gva.value(), shift(level), bits));
  }
};

/// An IPS or PARange encoding, as bits.
[[nodiscard]] constexpr std::uint8_t output_bits(std::uint64_t encoding) {
  constexpr std::uint8_t kBits[] = {32, 36, 40, 42, 44, 48, 52, 52};
  return kBits[encoding & 7];
}

/// TG0 (00 4 KiB, 01 64, 10 16) or TG1 (01 16, 10 4, 11 64); nothing for the reserved value.
[[nodiscard]] constexpr std::optional<std::uint8_t> granule_bits(std::uint64_t tcr, bool upper) {
  constexpr std::uint8_t kLower[] = {12, 16, 14, 0};
  constexpr std::uint8_t kUpper[] = {0, 14, 12, 16};
  const std::uint8_t bits = upper ? kUpper[field(tcr, 30, 2)] : kLower[field(tcr, 14, 2)];
  return bits == 0 ? std::nullopt : std::optional<std::uint8_t>(bits);
}

/// EPDx of the half that `gva` is in: whatever else TCR says of it, nothing is walked there.
[[nodiscard]] constexpr bool walks_disabled(const TranslationState& state, GuestVirtAddr gva) {
  const bool upper = field(gva.value(), 55, 1) != 0;
  return field(state.tcr, upper ? 23 : 7, 1) != 0;
}

/// The half `gva` is in (bit 55 decides), or nothing when its granule is reserved.
[[nodiscard]] constexpr std::optional<Half> half_of(const TranslationState& state,
                                                    GuestVirtAddr gva, bool is_fetch) {
  const std::uint64_t tcr = state.tcr;
  const bool upper = field(gva.value(), 55, 1) != 0;
  const auto flag = [&](unsigned lower_bit, unsigned upper_bit) {
    return field(tcr, upper ? upper_bit : lower_bit, 1) != 0;
  };
  const auto granule = granule_bits(tcr, upper);
  if (!granule) {
    return std::nullopt;
  }
  Half half;
  half.upper = upper;
  half.base = upper ? state.ttbr1 : state.ttbr0;
  half.granule_bits = *granule;
  half.size_bits = static_cast<std::uint8_t>(field(tcr, upper ? 16 : 0, 6));
  half.ignores_top_byte = flag(37, 38) && !(is_fetch && flag(51, 52));
  half.no_table_rights = flag(41, 42);
  half.no_user_access = flag(55, 56);
  if (*granule == 16) {
    const bool wide = state.features.physical_address_bits > 48;
    half.high_bits = wide ? HighBits::kGranule64K : HighBits::kNone;
  } else if (state.features.lpa2 && (tcr & kTcrDescriptor52) != 0) {
    half.high_bits = HighBits::kDescriptor52;
  }
  half.output_bits = std::min(output_bits(field(tcr, 32, 3)), state.features.physical_address_bits);
  if (half.high_bits == HighBits::kNone) {
    half.output_bits = std::min<std::uint8_t>(half.output_bits, 48);
  }
  return half;
}

/// Whether TxSZ is a value the CPU has.
[[nodiscard]] constexpr bool is_valid_size(const TranslationFeatures& features, const Half& half) {
  const bool wide =
      half.granule_bits == 16 ? features.lva : half.high_bits == HighBits::kDescriptor52;
  const unsigned largest = !features.small_tables ? 39 : half.granule_bits == 16 ? 47 : 48;
  return half.size_bits >= (wide ? 12 : 16) && half.size_bits <= largest;
}

/// Whether the bits above the half's size, up to the top or to the ignored byte, are all alike.
[[nodiscard]] constexpr bool is_in_range(const Half& half, GuestVirtAddr gva) {
  const unsigned top = half.ignores_top_byte ? 56 : 64;
  if (half.input_bits() >= top) {
    return true;
  }
  const unsigned count = top - half.input_bits();
  const std::uint64_t expected = half.upper ? (1ULL << count) - 1 : 0;
  return field(gva.value(), half.input_bits(), count) == expected;
}

/// The address a descriptor holds, as far as it is aligned to 1 << `low_bit`.
[[nodiscard]] constexpr GuestPhysAddr address(const Half& half, std::uint64_t descriptor,
                                              unsigned low_bit) {
  const unsigned in_place = half.high_bits == HighBits::kDescriptor52 ? 50 : 48;
  std::uint64_t value = field(descriptor, low_bit, in_place - low_bit) << low_bit;
  if (half.high_bits == HighBits::kDescriptor52) {
    value |= field(descriptor, 8, 2) << 50;
  } else if (half.high_bits == HighBits::kGranule64K) {
    value |= field(descriptor, 12, 4) << 48;
  }
  return GuestPhysAddr(value);
}

/// Where the first table starts: it is aligned to its own size, and to 64 bytes where the TTBR
/// holds 52 bits of address, the high ones in bits 5:2.
[[nodiscard]] constexpr GuestPhysAddr root(const Half& half) {
  const unsigned index_bits = half.input_bits() - half.shift(half.first_level());
  const unsigned own_alignment = index_bits + 3;
  const bool wide = half.high_bits == HighBits::kDescriptor52 || half.output_bits > 48;
  const unsigned low_bit = wide ? std::max(own_alignment, 6U) : own_alignment;
  const std::uint64_t high = wide ? field(half.base, 2, 4) << 48 : 0;
  return GuestPhysAddr(high | field(half.base, low_bit, 48 - low_bit) << low_bit);
}

/// Whether the CPU has that many address bits; larger ones are an address size fault.
[[nodiscard]] constexpr bool is_output_address(const Half& half, GuestPhysAddr address) {
  return address.value() >> half.output_bits == 0;
}

enum class DescriptorType : std::uint8_t { kInvalid, kTable, kLeaf };

[[nodiscard]] constexpr DescriptorType type(std::uint64_t descriptor, const Half& half, int level) {
  if ((descriptor & kValid) == 0) {
    return DescriptorType::kInvalid;
  }
  const bool second = (descriptor & kTableOrPage) != 0;
  if (level == 3) {
    return second ? DescriptorType::kLeaf : DescriptorType::kInvalid;
  }
  if (second) {
    return DescriptorType::kTable;
  }
  // Blocks: at level 2 always, at level 1 of 4 KiB, and one level higher with 52-bit addresses.
  const bool wide = half.high_bits != HighBits::kNone;
  const int highest = (half.granule_bits == 12 ? 1 : 2) - (wide ? 1 : 0);
  return level >= highest ? DescriptorType::kLeaf : DescriptorType::kInvalid;
}

}  // namespace stage1

}  // namespace nestling::aarch64
