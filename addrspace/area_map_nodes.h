// The nodes of AreaMap's tree and the search in one; for its source files only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "addrspace/area_map.h"

namespace nestling {

/// Pads unused slots: above the start of every area.
inline constexpr std::uint64_t kNoStart = UINT64_MAX;

/// How many of `starts`, ascending and padded, are at or below `key`. No branch depends on the
/// data, so that lookups in random order do not pay for mispredictions.
template <std::size_t Size>
[[nodiscard]] std::size_t count_up_to(const std::array<std::uint64_t, Size>& starts,
                                      std::uint64_t key) {
  static_assert(is_power_of_two(Size));
  const std::uint64_t* base = starts.data();
  for (std::size_t half = Size / 2; half != 0; half /= 2) {
    base += half & (std::size_t{0} - static_cast<std::size_t>(base[half - 1] <= key));
  }
  const std::size_t below = static_cast<std::size_t>(base - starts.data());
  return below + static_cast<std::size_t>(*base <= key);
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
