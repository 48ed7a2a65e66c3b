// The GDT that a kernel starts with, and segment registers as loaded from it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace nestling::x86_64 {

/// A segment register with its hidden part, as the processor holds it (Intel SDM volume 3,
/// "Segment Descriptors").
struct Segment {
  std::uint16_t selector = 0;
  std::uint64_t base = 0;
  /// The last byte's offset, with the granularity applied.
  std::uint32_t limit = 0;
  /// The 4-bit type field.
  std::uint8_t type = 0;
  /// 0 to 3.
  std::uint8_t privilege_level = 0;
  bool present = false;
  /// The S bit: code or data, not a system segment.
  bool code_or_data = false;
  /// The L bit: 64-bit code.
  bool long_mode = false;
  /// The D/B bit: 32-bit default operands.
  bool default_big = false;
  /// The G bit: the descriptor counted its limit in pages.
  bool granularity = false;
  /// The AVL bit, which is for the guest alone.
  bool available = false;
  /// A null selector or one that must not be used.
  bool unusable = false;

  friend bool operator==(const Segment&, const Segment&) = default;
};

/// GDTR or IDTR. `limit` is the offset of the table's last byte, as LGDT and LIDT load it.
struct DescriptorTable {
  std::uint64_t base = 0;
  std::uint16_t limit = 0;

  friend bool operator==(const DescriptorTable&, const DescriptorTable&) = default;
};

inline constexpr std::uint16_t kCodeSelector = 0x08;
inline constexpr std::uint16_t kDataSelector = 0x10;

/// Null; 64-bit ring-0 code; flat ring-0 data. The accessed bits are set, so that loading a
/// segment writes nothing.
inline constexpr std::array<std::uint64_t, 3> kGdt = {0, 0x00af'9b00'0000'ffff,
                                                      0x00cf'9300'0000'ffff};

/// What a segment register holds after `selector`, of a code or data segment that `gdt` has, was
/// loaded.
[[nodiscard]] constexpr Segment segment_from(std::span<const std::uint64_t> gdt,
                                             std::uint16_t selector) {
  const std::uint64_t descriptor = gdt[selector / sizeof gdt[0]];
  const auto bit = [&](unsigned index) { return ((descriptor >> index) & 1) != 0; };
  Segment segment;
  segment.selector = selector;
  segment.base = ((descriptor >> 16) & 0xff'ffff) | ((descriptor >> 56) << 24);
  segment.granularity = bit(55);
  const auto limit =
      static_cast<std::uint32_t>((descriptor & 0xffff) | ((descriptor >> 32) & 0xf'0000));
  segment.limit = segment.granularity ? (limit << 12) | 0xfff : limit;
  segment.type = static_cast<std::uint8_t>((descriptor >> 40) & 0xf);
  segment.code_or_data = bit(44);
  segment.privilege_level = static_cast<std::uint8_t>((descriptor >> 45) & 3);
  segment.present = bit(47);
  segment.available = bit(52);
  segment.long_mode = bit(53);
  segment.default_big = bit(54);
  return segment;
}

}  // namespace nestling::x86_64
