// The tree that areas are looked up in, and the life of its nodes.
#include "addrspace/area_map.h"

#include <new>

#include <fmt/core.h>

#include "addrspace/area_map_nodes.h"
#include "base/check.h"

namespace nestling {

AreaMap::AreaMap(ReaderEpochs& epochs) : AreaMap(epochs, Options{}) {}

AreaMap::AreaMap(ReaderEpochs& epochs, Options options) : epochs_(epochs), options_(options) {}

AreaMap::~AreaMap() {
  while (first_retired_ != nullptr) {
    Node* const node = first_retired_;
    first_retired_ = node->link;
    destroy(node);
  }
  destroy_tree(root_.load(std::memory_order_relaxed));
}

AreaMap::Leaf* AreaMap::make_leaf() {
  if (node_count_ >= options_.node_limit) {
    reclaim();
  }
  Leaf* const leaf = node_count_ < options_.node_limit ? new (std::nothrow) Leaf : nullptr;
  node_count_ += leaf != nullptr ? 1 : 0;
  return leaf;
}

AreaMap::Inner* AreaMap::make_inner(unsigned level) {
  if (node_count_ >= options_.node_limit) {
    reclaim();
  }
  Inner* const inner = node_count_ < options_.node_limit ? new (std::nothrow) Inner : nullptr;
  if (inner != nullptr) {
    inner->level = level;
    ++node_count_;
  }
  return inner;
}

void AreaMap::destroy(Node* node) {
  --node_count_;
  if (node->level == 0) {
    delete static_cast<Leaf*>(node);
  } else {
    delete static_cast<Inner*>(node);
  }
}

void AreaMap::destroy_tree(Node* node) {
  if (node == nullptr) {
    return;
  }
  if (node->level != 0) {
    const auto* const inner = static_cast<Inner*>(node);
    for (std::size_t i = 0; i < inner->count; ++i) {
      destroy_tree(inner->children.at(i));
    }
  }
  destroy(node);
}

void AreaMap::retire(Node* node, std::uint64_t epoch) {
  node->link = nullptr;
  node->edit = epoch;
  (last_retired_ != nullptr ? last_retired_->link : first_retired_) = node;
  last_retired_ = node;
  ++retired_count_;
}

void AreaMap::retire_tree(Node* node, std::uint64_t epoch) {
  if (node->level != 0) {
    const auto* const inner = static_cast<Inner*>(node);
    for (std::size_t i = 0; i < inner->count; ++i) {
      retire_tree(inner->children.at(i), epoch);
    }
  }
  retire(node, epoch);
}

void AreaMap::reclaim() {
  // Mostly everybody has left the newest epoch, and one question answers for all.
  const bool all = last_retired_ != nullptr && epochs_.have_left(last_retired_->edit);
  while (first_retired_ != nullptr && (all || epochs_.have_left(first_retired_->edit))) {
    Node* const node = first_retired_;
    first_retired_ = node->link;
    --retired_count_;
    destroy(node);
  }
  if (first_retired_ == nullptr) {
    last_retired_ = nullptr;
  }
}

const Area* AreaMap::find(const Guard& /*guard*/, GuestPhysAddr gpa) const {
  const Area* const area = last_before(root_.load(std::memory_order_acquire), gpa.value());
  return area != nullptr && area->range.contains(gpa) ? area : nullptr;
}

const Area* AreaMap::find_from(const Guard& /*guard*/, GuestPhysAddr gpa) const {
  return find_from(root_.load(std::memory_order_acquire), gpa);
}

const Area* AreaMap::find_from(const Node* root, GuestPhysAddr gpa) {
  const Area* const area = last_before(root, gpa.value());
  if (area != nullptr && area->range.contains(gpa)) {
    return area;
  }
  return first_from(root, gpa.value());
}

/// The last area that starts at or below `start`, or null.
const Area* AreaMap::last_before(const Node* root, std::uint64_t start) {
  const Node* node = root;
  const Node* before = nullptr;  // the subtree next to the path on its left, lowest level so far
  if (node == nullptr) {
    return nullptr;
  }
  while (node->level != 0) {
    const auto* const inner = static_cast<const Inner*>(node);
    const std::size_t slot = inner->slot_of(start);
    if (slot != 0) {
      before = inner->children[slot - 1];
    }
    node = inner->children[slot];
  }
  const auto* const leaf = static_cast<const Leaf*>(node);
  const std::size_t below = count_up_to(leaf->starts, start);
  if (below != 0) [[likely]] {
    return &leaf->areas[below - 1];
  }
  // The leaf's first area starts above: the one asked for is the last of what is to the left.
  if (before == nullptr) {
    return nullptr;
  }
  while (before->level != 0) {
    const auto* const inner = static_cast<const Inner*>(before);
    before = inner->children[inner->count - 1];
  }
  const auto* const left = static_cast<const Leaf*>(before);
  return &left->areas[left->count - 1];
}

/// The first area that starts at or above `start`, or null.
const Area* AreaMap::first_from(const Node* root, std::uint64_t start) {
  const Node* node = root;
  const Node* after = nullptr;  // the subtree next to the path on its right, lowest level so far
  if (node == nullptr) {
    return nullptr;
  }
  while (node->level != 0) {
    const auto* const inner = static_cast<const Inner*>(node);
    const std::size_t slot = inner->slot_of(start);
    if (slot + 1 < inner->count) {
      after = inner->children[slot + 1];
    }
    node = inner->children[slot];
  }
  const auto* const leaf = static_cast<const Leaf*>(node);
  const std::size_t below = start == 0 ? 0 : count_up_to(leaf->starts, start - 1);
  if (below < leaf->count) {
    return &leaf->areas[below];
  }
  if (after == nullptr) {
    return nullptr;
  }
  while (after->level != 0) {
    after = static_cast<const Inner*>(after)->children[0];
  }
  return static_cast<const Leaf*>(after)->areas.data();
}

void AreaMap::set_resident(GuestPhysAddr start, std::uint64_t bytes) {
  const Area* const area = last_before(root_.load(std::memory_order_relaxed), start.value());
  check(area != nullptr && area->range.start() == start, "area to count");
  // The nodes are the map's own, made non-const; the count is the one thing in them that changes.
  const_cast<Area*>(area)->resident.set(bytes);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

std::size_t AreaMap::live_node_count() const {
  const auto count = [](const auto& self, const Node* node) -> std::size_t {
    std::size_t total = node == nullptr ? 0 : 1;
    for (std::size_t i = 0; node != nullptr && node->level != 0 && i < node->count; ++i) {
      total += self(self, static_cast<const Inner*>(node)->children.at(i));
    }
    return total;
  };
  return count(count, root_.load(std::memory_order_acquire));
}

std::optional<std::string> AreaMap::defect() const {
  const Node* const root = root_.load(std::memory_order_acquire);
  std::size_t areas = 0;
  std::uint64_t end = 0;
  if (root != nullptr) {
    if (auto found = defect_below(root, 0, kNoStart, areas, end)) {
      return found;
    }
  }
  if (areas != size_) {
    return fmt::format("{} areas counted, {} in the tree", size_, areas);
  }
  return std::nullopt;
}

/// Looks at `node`, whose areas start in [low, high); `end` is where the area before ends.
std::optional<std::string> AreaMap::defect_below(const Node* node, std::uint64_t low,
                                                 std::uint64_t high, std::size_t& areas,
                                                 std::uint64_t& end) const {
  if (node->count == 0 || node->dropped) {
    return fmt::format("an empty or dropped node at {:#x}", low);
  }
  if (node->level == 0) {
    const auto* const leaf = static_cast<const Leaf*>(node);
    for (std::size_t i = 0; i < kLeafSize; ++i) {
      const std::uint64_t start = leaf->starts.at(i);
      if (i >= leaf->count) {
        if (start != kNoStart) {
          return fmt::format("an unused slot holds {:#x}", start);
        }
        continue;
      }
      const Area& area = leaf->areas.at(i);
      if (area.range.start().value() != start || area.range.is_empty()) {
        return fmt::format("the area at {:#x} is filed under {:#x}", area.range.start().value(),
                           start);
      }
      if (start < low || start >= high || start < end) {
        return fmt::format("the area at {:#x} is out of order", start);
      }
      end = area.range.last().value() + 1;
      ++areas;
    }
    return std::nullopt;
  }
  const auto* const inner = static_cast<const Inner*>(node);
  for (std::size_t i = 0; i < inner->count; ++i) {
    const std::uint64_t child_low = i == 0 ? low : inner->starts.at(i);
    const std::uint64_t child_high = i + 1 < inner->count ? inner->starts.at(i + 1) : high;
    if (child_low < low || child_high > high || inner->children.at(i)->level + 1 != inner->level ||
        inner->starts.front() != 0) {
      return fmt::format("an inner node is malformed at {:#x}", child_low);
    }
    if (auto found = defect_below(inner->children.at(i), child_low, child_high, areas, end)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace nestling
