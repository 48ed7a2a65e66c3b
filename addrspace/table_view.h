// What readers of a nested page table are told: a page, a run of pages, a walk.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "addrspace/range.h"
#include "addrspace/stage2_format.h"

namespace nestling {

/// One leaf of the table, and the first guest address it maps.
struct MappedPage {
  GuestPhysAddr start;
  LeafEntry entry;

  friend bool operator==(const MappedPage&, const MappedPage&) = default;
};

/// Neighbouring leaves of one size, with equal rights and type, whose frames are neighbours too.
struct MappedRun {
  GuestPhysRange guest;  ///< never empty; cut to the range that was asked for
  HostPhysAddr host;     ///< of the first byte
  PageSize page_size = PageSize::k4KiB;
  Access access;
  MemoryType type = MemoryType::kWriteBack;

  friend bool operator==(const MappedRun&, const MappedRun&) = default;
};

/// One entry on the way from the root to a leaf.
struct TableStep {
  unsigned level = 0;  ///< 0 is the level of the 4 KiB leaves
  HostPhysAddr entry;  ///< where the entry stands
  RawEntry raw = 0;
  EntryKind kind = EntryKind::kHole;

  friend bool operator==(const TableStep&, const TableStep&) = default;
};

/// The steps of one walk, root first; the last one is a leaf or a hole. Empty for an address that
/// the format cannot express.
class TableWalk {
 public:
  void append(const TableStep& step) { steps_.at(count_++) = step; }

  [[nodiscard]] std::span<const TableStep> steps() const { return {steps_.data(), count_}; }

 private:
  std::array<TableStep, 5> steps_{};
  std::size_t count_ = 0;
};

}  // namespace nestling
