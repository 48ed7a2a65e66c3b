// The nodes of AreaMap's tree and the search in one; for its source files only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "addrspace/area_map.h"

namespace nestling {

/// Pads unused slots: above the start of every area.
inline constexpr std::uint64_t kNoStart = UINT64_MAX;

/// How many of `starts`, ascending and padded, are at or below `key`. Nothing here waits for a
/// comparison: first the last key of each group of eight decides which group, then its keys are
/// counted. Lookups in random order so cost two cache latencies a node and no misprediction.
template <std::size_t Size>
[[nodiscard]] std::size_t count_up_to(const std::array<std::uint64_t, Size>& starts,
                                      std::uint64_t key) {
  constexpr std::size_t kGroup = 8;
  static_assert(Size % kGroup == 0);
  std::size_t groups = 0;
  for (std::size_t last = kGroup - 1; last + kGroup < Size; last += kGroup) {
    groups += static_cast<std::size_t>(starts[last] <= key);
  }
  const std::uint64_t* const group = starts.data() + groups * kGroup;
  std::size_t count = groups * kGroup;
  for (std::size_t i = 0; i < kGroup; ++i) {
    count += static_cast<std::size_t>(group[i] <= key);
  }
  return count;
}

struct AreaMap::Node {
  Node* link = nullptr;    // the writer's lists
  std::uint64_t edit = 0;  // the edit that made it; retired: the epoch
  unsigned level = 0;      // 0: Leaf, above: Inner
  std::size_t count = 0;   // slots in use
  bool dropped = false;    // made and taken out again by the same edit
};

struct AreaMap::Leaf : Node {
  Leaf() { starts.fill(kNoStart); }

  std::array<std::uint64_t, kLeafSize> starts{};
  std::array<Area, kLeafSize> areas{};
};

/// starts[0] is 0: the first child also takes what is below everything.
struct AreaMap::Inner : Node {
  Inner() { starts.fill(kNoStart); }

  [[nodiscard]] std::size_t slot_of(std::uint64_t start) const {
    return count_up_to(starts, start) - 1;
  }

  std::array<std::uint64_t, kInnerSize> starts{};
  std::array<Node*, kInnerSize> children{};
};

}  // namespace nestling
