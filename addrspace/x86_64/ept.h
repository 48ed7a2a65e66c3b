// x86 extended page tables (Intel): the entries, and the EPTP that points to the root.
#pragma once

#include <optional>
#include <string_view>

#include "addrspace/stage2_format.h"

namespace nestling::x86_64 {

/// Whether the processor lets an EPT entry allow execution without reads (IA32_VMX_EPT_VPID_CAP
/// bit 0). Where it does not, such an entry is a misconfiguration.
enum class ExecuteOnly : std::uint8_t { kRefused, kAllowed };

/// EPT with 4 or 5 levels. Intel SDM volume 3, "The Extended Page Table Mechanism (EPT)".
///
///     63 SVE | 51:12 address | 9 D | 8 A | 7 leaf | 6 IPAT | 5:3 memory type | 2 X | 1 W | 0 R
///
/// Entries never set "ignore PAT", so the guest's own PAT still combines with the type.
template <unsigned Levels, ExecuteOnly executeOnly = ExecuteOnly::kRefused>
requires(Levels == 4 || Levels == 5) struct Ept {
  static constexpr std::string_view kName = Levels == 4 ? "EPT, 4 levels" : "EPT, 5 levels";
  static constexpr unsigned kLevels = Levels;
  static constexpr unsigned kGpaBits = 12 + 9 * Levels;
  static constexpr unsigned kHpaBits = 52;
  static constexpr RawEntry kPageStep = kPageSize;

  /// Device types are the one uncached type of x86.
  [[nodiscard]] static constexpr std::optional<MemoryType> effective_type(MemoryType type) {
    return is_device(type) ? MemoryType::kUncached : type;
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_leaf(const LeafEntry& leaf) {
    if (!is_permitted(leaf.access) || !is_frame(leaf.frame, leaf.size, kHpaBits)) {
      return std::nullopt;
    }
    return leaf.frame.value() | access_bits(leaf.access) | type_code(leaf.type) << kTypeShift |
           (leaf.size == PageSize::k4KiB ? 0 : kHuge);
  }

  [[nodiscard]] static constexpr std::optional<RawEntry> encode_table(HostPhysAddr table) {
    if (!is_frame(table, PageSize::k4KiB, kHpaBits)) {
      return std::nullopt;
    }
    return table.value() | kRead | kWrite | kExecute;
  }

  [[nodiscard]] static constexpr std::optional<LeafEntry> decode_leaf(RawEntry raw, PageSize size) {
    const LeafEntry leaf = {address(raw), size, access_of(raw), MemoryType::kWriteBack};
    const std::optional<MemoryType> type = type_of(raw >> kTypeShift & 7);
    const bool is_huge = (raw & kHuge) != 0;
    if (!type || !is_permitted(leaf.access) || is_huge != (size != PageSize::k4KiB) ||
        !is_frame(leaf.frame, size, kHpaBits)) {
      return std::nullopt;
    }
    return LeafEntry{leaf.frame, size, leaf.access, *type};
  }

  [[nodiscard]] static constexpr EntryKind kind(RawEntry raw, unsigned level) {
    if ((raw & (kRead | kWrite | kExecute)) == 0) {
      return EntryKind::kHole;
    }
    return level == 0 || (raw & kHuge) != 0 ? EntryKind::kLeaf : EntryKind::kTable;
  }
  [[nodiscard]] static constexpr bool is_table(RawEntry raw) {
    return (raw & (kHuge | kRead)) == kRead;
  }

  [[nodiscard]] static constexpr HostPhysAddr address(RawEntry raw) {
    return HostPhysAddr(raw & 0x000f'ffff'ffff'f000);
  }

  /// The EPT pointer for a root: write-back tables, accessed and dirty flags off.
  [[nodiscard]] static constexpr std::optional<std::uint64_t> pointer(HostPhysAddr root) {
    if (!is_frame(root, PageSize::k4KiB, kHpaBits)) {
      return std::nullopt;
    }
    return root.value() | 6 | (Levels - 1) << 3;
  }

 private:
  static constexpr RawEntry kRead = 1U << 0;
  static constexpr RawEntry kWrite = 1U << 1;
  static constexpr RawEntry kExecute = 1U << 2;
  static constexpr unsigned kTypeShift = 3;
  static constexpr RawEntry kHuge = 1U << 7;

  /// Neither empty (a hole) nor a misconfiguration.
  static constexpr bool is_permitted(Access access) {
    return access.allows(Access::read()) ||
           (executeOnly == ExecuteOnly::kAllowed && access == Access::execute());
  }

  static constexpr RawEntry access_bits(Access access) {
    return (access.allows(Access::read()) ? kRead : 0) |
           (access.allows(Access::write()) ? kWrite : 0) |
           (access.allows(Access::execute()) ? kExecute : 0);
  }
  static constexpr Access access_of(RawEntry raw) {
    return ((raw & kRead) != 0 ? Access::read() : Access::none()) |
           ((raw & kWrite) != 0 ? Access::write() : Access::none()) |
           ((raw & kExecute) != 0 ? Access::execute() : Access::none());
  }

  static constexpr RawEntry type_code(MemoryType type) {
    switch (type) {
      case MemoryType::kWriteBack:
        return 6;
      case MemoryType::kWriteProtected:
        return 5;
      case MemoryType::kWriteThrough:
        return 4;
      case MemoryType::kWriteCombining:
        return 1;
      default:
        return 0;
    }
  }
  static constexpr std::optional<MemoryType> type_of(RawEntry code) {
    for (const MemoryType type : kMemoryTypes) {
      if (type_code(type) == code) {
        return type;  // kUncached stands before the device types that share its code
      }
    }
    return std::nullopt;
  }
};

static_assert(Stage2Format<Ept<4>> && Stage2Format<Ept<5>>);
static_assert(Ept<4>::kGpaBits == 48 && Ept<5>::kGpaBits == 57);

}  // namespace nestling::x86_64
