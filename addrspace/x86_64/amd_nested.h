// AMD nested page tables: ordinary long-mode entries, walked as user accesses.
#pragma once

#include <optional>
#include <string_view>

#include "addrspace/stage2_format.h"

namespace nestling::x86_64 {

/// Nested paging with 4 or 5 levels. AMD APM volume 2, "Nested Paging".
///
///     63 NX | 51:12 address | 8 G | 7 PS | 6 D | 5 A | 4 PCD | 3 PWT | 2 US | 1 RW | 0 P
///
/// Nested walks are user accesses, so every entry sets US. PCD and PWT choose among the first four
/// types of the host's PAT, which are write-back, write-through, UC- and UC after reset: there is
/// no write-combining or write-protected here without a change of that PAT.
template <unsigned Levels>
requires(Levels == 4 || Levels == 5) struct AmdNested {
  static constexpr std::string_view kName =
      Levels == 4 ? "AMD nested, 4 levels" : "AMD nested, 5 levels";
  static constexpr unsigned kLevels = Levels;
  static constexpr unsigned kGpaBits = 12 + 9 * Levels;
  static constexpr unsigned kHpaBits = 52;
  static constexpr RawEntry kPageStep = kPageSize;

  [[nodiscard]] static constexpr std::optional<MemoryType> effective_type(MemoryType type) {
    if (is_device(type)) {
      return MemoryType::kUncached;
    }
    if (type == MemoryType::kWriteBack || type == MemoryType::kWriteThrough) {
      return type;
    }
    return std::nullopt;
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_leaf(const LeafEntry& leaf) {
    const std::optional<MemoryType> type = effective_type(leaf.type);
    if (!type || !leaf.access.allows(Access::read()) ||
        !is_frame(leaf.frame, leaf.size, kHpaBits)) {
      return std::nullopt;
    }
    return leaf.frame.value() | kPresent | kUser |
           (leaf.access.allows(Access::write()) ? kWrite : 0) |
           (leaf.access.allows(Access::execute()) ? 0 : kNoExecute) |
           (leaf.size == PageSize::k4KiB ? 0 : kHuge) | type_bits(*type);
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_table(HostPhysAddr table) {
    if (!is_frame(table, PageSize::k4KiB, kHpaBits)) {
      return std::nullopt;
    }
    return table.value() | kPresent | kWrite | kUser;
  }

  [[nodiscard]] static constexpr std::optional<LeafEntry> decode_leaf(RawEntry raw, PageSize size) {
    const bool is_huge = (raw & kHuge) != 0;
    const HostPhysAddr frame = address(raw);
    if ((raw & kPresent) == 0 || (raw & kUser) == 0 || is_huge != (size != PageSize::k4KiB) ||
        !is_frame(frame, size, kHpaBits)) {
      return std::nullopt;
    }
    const Access access = Access::read() |
                          ((raw & kWrite) != 0 ? Access::write() : Access::none()) |
                          ((raw & kNoExecute) != 0 ? Access::none() : Access::execute());
    const MemoryType cached =
        (raw & kWriteThrough) != 0 ? MemoryType::kWriteThrough : MemoryType::kWriteBack;
    return LeafEntry{frame, size, access,
                     (raw & kCacheDisable) != 0 ? MemoryType::kUncached : cached};
  }

  [[nodiscard]] static constexpr EntryKind kind(RawEntry raw, unsigned level) {
    if ((raw & kPresent) == 0) {
      return EntryKind::kHole;
    }
    return level == 0 || (raw & kHuge) != 0 ? EntryKind::kLeaf : EntryKind::kTable;
  }
  [[nodiscard]] static constexpr bool is_table(RawEntry raw) {
    return (raw & (kHuge | kPresent)) == kPresent;
  }

  [[nodiscard]] static constexpr HostPhysAddr address(RawEntry raw) {
    return HostPhysAddr(raw & 0x000f'ffff'ffff'f000);
  }

 private:
  static constexpr RawEntry kPresent = 1U << 0;
  static constexpr RawEntry kWrite = 1U << 1;
  static constexpr RawEntry kUser = 1U << 2;
  static constexpr RawEntry kWriteThrough = 1U << 3;
  static constexpr RawEntry kCacheDisable = 1U << 4;
  static constexpr RawEntry kHuge = 1U << 7;  // at level 0 this bit is PAT, which we leave clear
  static constexpr RawEntry kNoExecute = 1ULL << 63;

  static constexpr RawEntry type_bits(MemoryType type) {
    if (type == MemoryType::kUncached) {
      return kCacheDisable | kWriteThrough;
    }
    return type == MemoryType::kWriteThrough ? kWriteThrough : 0;
  }
};

static_assert(Stage2Format<AmdNested<4>> && Stage2Format<AmdNested<5>>);
static_assert(AmdNested<4>::kGpaBits == 48 && AmdNested<5>::kGpaBits == 57);

}  // namespace nestling::x86_64
