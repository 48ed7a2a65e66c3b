// AArch64 stage-2 entries: 4 KiB granule, 3 or 4 levels, concatenated root tables.
#pragma once

#include <optional>
#include <string_view>

#include "addrspace/stage2_format.h"

namespace nestling::aarch64 {

/// VMSAv8-64 stage 2. Arm ARM (DDI 0487), "VMSAv8-64 translation table format descriptors" and
/// "Stage 2 memory type and cacheability attributes".
///
///     54:53 XN | 52 contiguous | 51 DBM | 47:12 address | 10 AF | 9:8 SH | 7:6 S2AP | 5:2 MemAttr
///     | 1:0 type (01 block, 11 table or page)
///
/// Arm counts levels from the root: our level 0 (4 KiB pages) is its level 3. `GpaBits` beyond
/// what one root table indexes is met by up to 16 root tables side by side (kRootIndexBits).
///
/// Normal memory is inner shareable: vCPU threads of one VM run on all CPUs of the host, which form
/// one inner shareable domain, and the VMM's own stage-1 mappings of the same bytes are inner
/// shareable too; attributes that differ would break coherence. Device memory, and normal memory
/// that no cache holds, is outer shareable whatever SH says: there the field is left zero.
///
/// XN is 10 or 00, which means the same with and without FEAT_XNX.
template <unsigned Levels, unsigned GpaBits>
requires(Levels == 3 || Levels == 4) struct Stage2 {
  static constexpr std::string_view kName =
      Levels == 3 ? "AArch64 stage 2, 3 levels" : "AArch64 stage 2, 4 levels";
  static constexpr unsigned kLevels = Levels;
  static constexpr unsigned kGpaBits = GpaBits;
  static constexpr unsigned kHpaBits = 48;
  static constexpr RawEntry kPageStep = kPageSize;
  static_assert(GpaBits <= kHpaBits && GpaBits >= 12 + 9 * Levels && GpaBits <= 12 + 9 * Levels + 4,
                "at most 16 root tables can be concatenated");

  /// There is no write-protected type; uncached is the strongest device type.
  [[nodiscard]] static constexpr std::optional<MemoryType> effective_type(MemoryType type) {
    if (type == MemoryType::kWriteProtected) {
      return std::nullopt;
    }
    return type == MemoryType::kUncached ? MemoryType::kDeviceNGnRnE : type;
  }

  /// Stage 2 has write-only and execute-only pages; no access at all is a hole's job.
  [[nodiscard]] static constexpr std::optional<RawEntry> encode_leaf(const LeafEntry& leaf) {
    const std::optional<MemoryType> type = effective_type(leaf.type);
    if (!type || leaf.access.is_empty() || !is_frame(leaf.frame, leaf.size, kHpaBits)) {
      return std::nullopt;
    }
    return leaf.frame.value() | kAccessed | attributes(*type) << kAttributeShift |
           (is_shareable(*type) ? kInnerShareable : 0) |
           (leaf.access.allows(Access::read()) ? kRead : 0) |
           (leaf.access.allows(Access::write()) ? kWrite : 0) |
           (leaf.access.allows(Access::execute()) ? 0 : kNoExecute) |
           (leaf.size == PageSize::k4KiB ? kTableOrPage : kBlock);
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_table(HostPhysAddr table) {
    if (!is_frame(table, PageSize::k4KiB, kHpaBits)) {
      return std::nullopt;
    }
    return table.value() | kTableOrPage;
  }

  [[nodiscard]] static constexpr std::optional<LeafEntry> decode_leaf(RawEntry raw, PageSize size) {
    const HostPhysAddr frame = address(raw);
    const RawEntry wanted = size == PageSize::k4KiB ? kTableOrPage : kBlock;
    const std::optional<MemoryType> type = type_of(raw >> kAttributeShift & 15);
    if ((raw & 3) != wanted || !type || (raw & kAccessed) == 0 ||
        !is_frame(frame, size, kHpaBits)) {
      return std::nullopt;
    }
    const Access access = ((raw & kRead) != 0 ? Access::read() : Access::none()) |
                          ((raw & kWrite) != 0 ? Access::write() : Access::none()) |
                          ((raw & kNoExecute) != 0 ? Access::none() : Access::execute());
    return LeafEntry{frame, size, access, *type};
  }

  [[nodiscard]] static constexpr EntryKind kind(RawEntry raw, unsigned level) {
    const RawEntry type = raw & 3;
    if (type == kTableOrPage) {
      return level == 0 ? EntryKind::kLeaf : EntryKind::kTable;
    }
    // A block is possible at 1 GiB and 2 MiB; 01 elsewhere and 00, 10 everywhere are invalid.
    return type == kBlock && (level == 1 || level == 2) ? EntryKind::kLeaf : EntryKind::kHole;
  }
  [[nodiscard]] static constexpr bool is_table(RawEntry raw) { return (raw & 3) == kTableOrPage; }

  [[nodiscard]] static constexpr HostPhysAddr address(RawEntry raw) {
    return HostPhysAddr(raw & 0x0000'ffff'ffff'f000);
  }

 private:
  static constexpr RawEntry kBlock = 1;
  static constexpr RawEntry kTableOrPage = 3;
  static constexpr unsigned kAttributeShift = 2;
  static constexpr RawEntry kRead = 1U << 6;
  static constexpr RawEntry kWrite = 1U << 7;
  static constexpr RawEntry kInnerShareable = 3U << 8;
  static constexpr RawEntry kAccessed = 1U << 10;
  static constexpr RawEntry kNoExecute = 1ULL << 54;

  static constexpr bool is_shareable(MemoryType type) {
    return type == MemoryType::kWriteBack || type == MemoryType::kWriteThrough;
  }

  /// MemAttr: outer and inner cacheability of normal memory, or 00 and the kind of device.
  static constexpr RawEntry attributes(MemoryType type) {
    switch (type) {
      case MemoryType::kWriteBack:
        return 0b1111;
      case MemoryType::kWriteThrough:
        return 0b1010;
      case MemoryType::kWriteCombining:
        return 0b0101;
      case MemoryType::kDeviceGre:
        return 0b0011;
      case MemoryType::kDeviceNGre:
        return 0b0010;
      case MemoryType::kDeviceNGnRe:
        return 0b0001;
      default:
        return 0b0000;
    }
  }
  static constexpr std::optional<MemoryType> type_of(RawEntry code) {
    for (const MemoryType type : kMemoryTypes) {
      if (effective_type(type) == type && attributes(type) == code) {
        return type;
      }
    }
    return std::nullopt;  // mixed inner and outer cacheability, which we never make, or reserved
  }
};

/// 40-bit guests: two root tables side by side, 8 KiB.
using Stage2ThreeLevels = Stage2<3, 40>;
/// 48-bit guests.
using Stage2FourLevels = Stage2<4, 48>;

static_assert(Stage2Format<Stage2ThreeLevels> && Stage2Format<Stage2FourLevels>);
static_assert(kRootBytes<Stage2ThreeLevels> == 0x2000);
static_assert(kRootBytes<Stage2FourLevels> == 0x1000);
static_assert(kRootBytes<Stage2<3, 43>> == 0x10000);

}  // namespace nestling::aarch64
