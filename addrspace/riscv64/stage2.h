// RISC-V G-stage entries: Sv39x4 and Sv48x4, with their 16 KiB roots, and hgatp.
#pragma once

#include <optional>
#include <string_view>

#include "addrspace/stage2_format.h"

namespace nestling::riscv64 {

/// RISC-V privileged manual, "Two-Stage Address Translation" and "Svpbmt".
///
///     62:61 PBMT | 53:10 frame number | 7 D | 6 A | 5 G | 4 U | 3 X | 2 W | 1 R | 0 V
///
/// Every G-stage access counts as user mode, so leaves set U; A and D are set from the start, for
/// nobody here wants the faults that set them.
template <unsigned Levels>
requires(Levels == 3 || Levels == 4) struct SvX4 {
  static constexpr std::string_view kName = Levels == 3 ? "Sv39x4" : "Sv48x4";
  static constexpr unsigned kLevels = Levels;
  static constexpr unsigned kGpaBits = 12 + 9 * Levels + 2;
  static constexpr unsigned kHpaBits = 56;
  static constexpr RawEntry kPageStep = 1U << 10;

  /// PBMT knows the platform's own type, non-cacheable, and I/O.
  [[nodiscard]] static constexpr std::optional<MemoryType> effective_type(MemoryType type) {
    if (is_device(type)) {
      return MemoryType::kUncached;
    }
    if (type == MemoryType::kWriteBack || type == MemoryType::kWriteCombining) {
      return type;
    }
    return std::nullopt;
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_leaf(const LeafEntry& leaf) {
    const std::optional<MemoryType> type = effective_type(leaf.type);
    if (!type || !is_permitted(leaf.access) || !is_frame(leaf.frame, leaf.size, kHpaBits)) {
      return std::nullopt;
    }
    return leaf.frame.value() / kPageSize * kPageStep | type_code(*type) << kTypeShift | kValid |
           kUser | kAccessed | kDirty | (leaf.access.allows(Access::read()) ? kRead : 0) |
           (leaf.access.allows(Access::write()) ? kWrite : 0) |
           (leaf.access.allows(Access::execute()) ? kExecute : 0);
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_table(HostPhysAddr table) {
    if (!is_frame(table, PageSize::k4KiB, kHpaBits)) {
      return std::nullopt;
    }
    return table.value() / kPageSize * kPageStep | kValid;
  }

  [[nodiscard]] static constexpr std::optional<LeafEntry> decode_leaf(RawEntry raw, PageSize size) {
    const Access access = ((raw & kRead) != 0 ? Access::read() : Access::none()) |
                          ((raw & kWrite) != 0 ? Access::write() : Access::none()) |
                          ((raw & kExecute) != 0 ? Access::execute() : Access::none());
    const HostPhysAddr frame = address(raw);
    const RawEntry needed = kValid | kUser | kAccessed | kDirty;
    const RawEntry code = raw >> kTypeShift & 3;
    if ((raw & needed) != needed || (raw & kReserved) != 0 || code == 3 || !is_permitted(access) ||
        !is_frame(frame, size, kHpaBits)) {
      return std::nullopt;
    }
    const MemoryType uncached = code == 1 ? MemoryType::kWriteCombining : MemoryType::kUncached;
    return LeafEntry{frame, size, access, code == 0 ? MemoryType::kWriteBack : uncached};
  }

  [[nodiscard]] static constexpr EntryKind kind(RawEntry raw, unsigned level) {
    if ((raw & kValid) == 0) {
      return EntryKind::kHole;
    }
    const bool is_leaf = (raw & (kRead | kWrite | kExecute)) != 0;
    return level == 0 || is_leaf ? EntryKind::kLeaf : EntryKind::kTable;
  }
  [[nodiscard]] static constexpr bool is_table(RawEntry raw) {
    return (raw & (kValid | kRead | kWrite | kExecute)) == kValid;
  }

  [[nodiscard]] static constexpr HostPhysAddr address(RawEntry raw) {
    return HostPhysAddr((raw & 0x003f'ffff'ffff'fc00) << 2);
  }

  /// hgatp for a root: the mode in 63:60, the VMID in 57:44, the root's frame number below.
  [[nodiscard]] static constexpr std::optional<std::uint64_t> pointer(HostPhysAddr root,
                                                                      std::uint16_t vmid) {
    if (!is_frame(root, PageSize::k4KiB, kHpaBits) || !root.is_aligned(4 * kPageSize) ||
        vmid >> 14 != 0) {
      return std::nullopt;
    }
    return (Levels == 3 ? 8ULL : 9ULL) << 60 | std::uint64_t{vmid} << 44 | root.value() / kPageSize;
  }

 private:
  static constexpr RawEntry kValid = 1U << 0;
  static constexpr RawEntry kRead = 1U << 1;
  static constexpr RawEntry kWrite = 1U << 2;
  static constexpr RawEntry kExecute = 1U << 3;
  static constexpr RawEntry kUser = 1U << 4;
  static constexpr RawEntry kAccessed = 1U << 6;
  static constexpr RawEntry kDirty = 1U << 7;
  static constexpr unsigned kTypeShift = 61;
  static constexpr RawEntry kReserved = 0x9fc0'0000'0000'0000;  // 63 (Svnapot) and 60:54

  /// Without R, W or X an entry points to a table; W without R is reserved.
  static constexpr bool is_permitted(Access access) {
    return !access.is_empty() && (access.allows(Access::read()) || !access.allows(Access::write()));
  }

  static constexpr RawEntry type_code(MemoryType type) {
    if (type == MemoryType::kWriteBack) {
      return 0;
    }
    return type == MemoryType::kWriteCombining ? 1 : 2;
  }
};

using Sv39x4 = SvX4<3>;
using Sv48x4 = SvX4<4>;

static_assert(Stage2Format<Sv39x4> && Stage2Format<Sv48x4>);
static_assert(Sv39x4::kGpaBits == 41 && Sv48x4::kGpaBits == 50);
static_assert(kRootBytes<Sv39x4> == 0x4000 && kRootBytes<Sv48x4> == 0x4000);

}  // namespace nestling::riscv64
