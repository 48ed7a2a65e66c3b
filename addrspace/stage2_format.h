// What a stage-2 entry format is: the concept that every format fulfils, and the words it uses.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

#include "addrspace/access.h"
#include "addrspace/address.h"
#include "addrspace/memory_type.h"
#include "addrspace/page_size.h"

namespace nestling {

/// Index bits of every table but a root that is larger.
inline constexpr unsigned kTableIndexBits = 9;
inline constexpr std::uint64_t kTableEntries = 1ULL << kTableIndexBits;

/// Bytes that one entry of a table at `level` spans: 4 KiB at level 0, then 512 times more each.
[[nodiscard]] constexpr std::uint64_t bytes_at_level(unsigned level) {
  return kPageSize << (kTableIndexBits * level);
}
/// How many such entries fit below `offset`: offset / bytes_at_level(level), without a division.
[[nodiscard]] constexpr std::uint64_t entries_below(std::uint64_t offset, unsigned level) {
  return offset >> (12 + kTableIndexBits * level);
}
static_assert(entries_below(5 * bytes_at_level(2) + 1, 2) == 5);

/// The level of the tables whose entries map pages of this size: 0, 1, 2.
[[nodiscard]] constexpr unsigned level_of(PageSize size) {
  return (static_cast<unsigned>(size) - static_cast<unsigned>(PageSize::k4KiB)) / kTableIndexBits;
}
/// The other way; `level` is at most 2.
[[nodiscard]] constexpr PageSize page_size_at(unsigned level) { return kPageSizes.at(level); }
static_assert(bytes_at_level(level_of(PageSize::k4KiB)) == bytes_of(PageSize::k4KiB));
static_assert(bytes_at_level(level_of(PageSize::k2MiB)) == bytes_of(PageSize::k2MiB));
static_assert(bytes_at_level(level_of(PageSize::k1GiB)) == bytes_of(PageSize::k1GiB));
static_assert(page_size_at(2) == PageSize::k1GiB);

/// One 64-bit entry as the hardware reads it.
using RawEntry = std::uint64_t;

/// What an entry is to the walker.
enum class EntryKind : std::uint8_t {
  kHole,   ///< nothing mapped
  kTable,  ///< points to the table of the next level
  kLeaf,   ///< maps a page
};

/// What a leaf says, in any format.
struct LeafEntry {
  HostPhysAddr frame;  ///< first byte of the page, a multiple of `size`
  PageSize size = PageSize::k4KiB;
  Access access;
  MemoryType type = MemoryType::kWriteBack;

  friend constexpr bool operator==(const LeafEntry&, const LeafEntry&) = default;
};

/// An entry format. All members are static and constexpr; level 0 holds the 4 KiB leaves.
///
/// encode_leaf() refuses, by giving nothing, whatever the hardware would call a misconfiguration
/// or the format cannot say: rights, types, misaligned or too large addresses. decode_leaf() gives
/// back exactly what was encoded, with effective_type() of the type; nothing for what hardware
/// would refuse. Zero is a hole. Neighbouring pages, and pointers to neighbouring tables, differ by
/// kPageStep per 4 KiB and in no other bit. is_table() is what kind() says of entries above level
/// 0, as one comparison.
template <typename F>
concept Stage2Format = requires(RawEntry raw, unsigned level, LeafEntry leaf, HostPhysAddr hpa,
                                MemoryType type) {
  { F::kName } -> std::convertible_to<std::string_view>;
  { F::kLevels } -> std::convertible_to<unsigned>;
  { F::kGpaBits } -> std::convertible_to<unsigned>;
  { F::kHpaBits } -> std::convertible_to<unsigned>;
  { F::kPageStep } -> std::convertible_to<RawEntry>;
  { F::encode_leaf(leaf) } -> std::same_as<std::optional<RawEntry>>;
  { F::encode_table(hpa) } -> std::same_as<std::optional<RawEntry>>;
  { F::decode_leaf(raw, leaf.size) } -> std::same_as<std::optional<LeafEntry>>;
  { F::kind(raw, level) } -> std::same_as<EntryKind>;
  { F::is_table(raw) } -> std::same_as<bool>;
  { F::address(raw) } -> std::same_as<HostPhysAddr>;
  { F::effective_type(type) } -> std::same_as<std::optional<MemoryType>>;
}
&&F::kind(0, 0) == EntryKind::kHole&& F::kind(0, 1) == EntryKind::kHole&& F::kLevels >= 3 &&
    F::kLevels <= 5;

/// Index bits of the root table: 9, and more where tables are concatenated (Arm) or the root is
/// wide (RISC-V).
template <Stage2Format F>
inline constexpr unsigned kRootIndexBits = F::kGpaBits - 12 - kTableIndexBits*(F::kLevels - 1);

/// Bytes of the root table, and its alignment: at least 4 KiB.
template <Stage2Format F>
inline constexpr std::uint64_t kRootBytes = sizeof(RawEntry) << kRootIndexBits<F>;

/// True when an address has no bit above the format's width and none below the page's.
[[nodiscard]] constexpr bool is_frame(HostPhysAddr address, PageSize size, unsigned hpa_bits) {
  return address.is_aligned(bytes_of(size)) && address.value() >> hpa_bits == 0;
}

}  // namespace nestling
