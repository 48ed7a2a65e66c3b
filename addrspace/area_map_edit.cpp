// Edits of the area tree: the nodes on the path are copied, changed, and published at once.
#include <algorithm>

#include "addrspace/area_map.h"
#include "addrspace/area_map_nodes.h"
#include "base/check.h"

namespace nestling {

namespace {

/// Moves the elements from `from` on by one place up; the last one falls off.
template <typename Array>
void make_room(Array& array, std::size_t from) {
  std::move_backward(array.begin() + static_cast<std::ptrdiff_t>(from), array.end() - 1,
                     array.end());
}

/// Takes out the element at `at`; the last place keeps its value.
template <typename Array>
void close_gap(Array& array, std::size_t at) {
  std::move(array.begin() + static_cast<std::ptrdiff_t>(at) + 1, array.end(),
            array.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace

AreaMap::Edit::Edit(AreaMap& map)
    : map_(map),
      id_(map.next_edit_++),
      root_(map.root_.load(std::memory_order_relaxed)),
      size_(map.size_) {}

AreaMap::Edit::~Edit() {
  if (committed_) {
    return;
  }
  while (fresh_ != nullptr) {
    Node* const node = fresh_;
    fresh_ = node->link;
    map_.destroy(node);
  }
}

void AreaMap::Edit::commit() {
  check(!committed_, "edit committed twice");
  committed_ = true;
  Node* const old_root = map_.root_.load(std::memory_order_relaxed);
  map_.root_.store(root_, std::memory_order_release);
  map_.size_ = size_;
  while (fresh_ != nullptr) {
    Node* const node = fresh_;
    fresh_ = node->link;
    if (node->dropped) {
      map_.destroy(node);  // no reader ever saw it
    } else {
      node->link = nullptr;
    }
  }
  const bool all_go = cleared_ && old_root != nullptr;
  if (replaced_ == nullptr && !all_go) {
    return;
  }
  const std::uint64_t epoch = map_.epochs_.end_epoch();
  if (all_go) {
    map_.retire_tree(old_root, epoch);
  }
  while (replaced_ != nullptr) {
    Node* const node = replaced_;
    replaced_ = node->link;
    map_.retire(node, epoch);
  }
  if (map_.retired_count_ >= kRetiredBatch) {
    map_.reclaim();
  }
}

/// `node` if this edit made it, else a copy of it that the edit owns; null when there is no node.
AreaMap::Node* AreaMap::Edit::writable(Node* node) {
  if (node->edit == id_) {
    return node;
  }
  Node* copy = nullptr;
  if (node->level == 0) {
    Leaf* const leaf = map_.make_leaf();
    if (leaf != nullptr) {
      *leaf = *static_cast<Leaf*>(node);
    }
    copy = leaf;
  } else {
    Inner* const inner = map_.make_inner(node->level);
    if (inner != nullptr) {
      *inner = *static_cast<Inner*>(node);
    }
    copy = inner;
  }
  if (copy == nullptr) {
    return nullptr;
  }
  copy->edit = id_;
  copy->link = fresh_;
  fresh_ = copy;
  node->link = replaced_;
  replaced_ = node;
  return copy;
}

/// Takes a node out of the tree that is being built.
void AreaMap::Edit::drop(Node* node) {
  if (node->edit == id_) {
    node->dropped = true;
  } else {
    node->link = replaced_;
    replaced_ = node;
  }
}

/// The leaf where `start` belongs, with it and all above it writable; null when there is no node.
AreaMap::Leaf* AreaMap::Edit::descend(std::uint64_t start, Path& path) {
  Node* node = writable(root_);
  if (node == nullptr) {
    return nullptr;
  }
  root_ = node;
  while (node->level != 0) {
    auto* const inner = static_cast<Inner*>(node);
    const std::size_t slot = inner->slot_of(start);
    check(path.depth < Path::kDepth, "depth of the area tree");
    path.nodes.at(path.depth) = inner;
    path.slots.at(path.depth) = slot;
    ++path.depth;
    node = writable(inner->children.at(slot));
    if (node == nullptr) {
      return nullptr;
    }
    inner->children.at(slot) = node;
  }
  return static_cast<Leaf*>(node);
}

const Area* AreaMap::Edit::find(GuestPhysAddr gpa) const {
  const Area* const area = last_before(root_, gpa.value());
  return area != nullptr && area->range.contains(gpa) ? area : nullptr;
}

void AreaMap::Edit::clear() {
  check(fresh_ == nullptr && replaced_ == nullptr, "clear() of an edit with changes");
  cleared_ = true;
  root_ = nullptr;
  size_ = 0;
}

bool AreaMap::Edit::replace(const Area& area) {
  Path path;
  const std::uint64_t start = area.range.start().value();
  Leaf* const leaf = root_ == nullptr ? nullptr : descend(start, path);
  if (leaf == nullptr) {
    return false;
  }
  const std::size_t below = count_up_to(leaf->starts, start);
  check(below != 0 && leaf->starts.at(below - 1) == start, "area to replace");
  leaf->areas.at(below - 1) = area;
  return true;
}

bool AreaMap::Edit::insert(const Area& area) {
  const std::uint64_t start = area.range.start().value();
  if (root_ == nullptr) {
    root_ = map_.make_leaf();
    if (root_ == nullptr) {
      return false;
    }
    root_->edit = id_;
    root_->link = fresh_;
    fresh_ = root_;
  }
  Path path;
  Leaf* leaf = descend(start, path);
  if (leaf == nullptr) {
    return false;
  }
  std::size_t at = count_up_to(leaf->starts, start);
  check(at == 0 || leaf->areas.at(at - 1).range.last() < area.range.start(), "areas overlap");
  if (leaf->count == kLeafSize) {
    Leaf* const right = map_.make_leaf();
    if (right == nullptr) {
      return false;
    }
    right->edit = id_;
    right->link = fresh_;
    fresh_ = right;
    // Areas that come in ascending order fill their leaves.
    const std::size_t keep = at == kLeafSize ? kLeafSize : kLeafSize / 2;
    for (std::size_t i = keep; i < kLeafSize; ++i) {
      right->starts.at(i - keep) = leaf->starts.at(i);
      right->areas.at(i - keep) = leaf->areas.at(i);
      leaf->starts.at(i) = kNoStart;
    }
    right->count = kLeafSize - keep;
    leaf->count = keep;
    if (!insert_child(path, right->count != 0 ? right->starts.front() : start, right)) {
      return false;
    }
    if (at >= keep && (at > keep || keep == kLeafSize)) {
      leaf = right;
      at -= keep;
    }
  }
  make_room(leaf->starts, at);
  make_room(leaf->areas, at);
  leaf->starts.at(at) = start;
  leaf->areas.at(at) = area;
  ++leaf->count;
  ++size_;
  return true;
}

/// Puts `child`, whose areas start at `start` or above, behind the child that `path` ends in.
bool AreaMap::Edit::insert_child(Path& path, std::uint64_t start, Node* child) {
  while (path.depth != 0) {
    --path.depth;
    Inner* inner = path.nodes.at(path.depth);
    std::size_t at = path.slots.at(path.depth) + 1;
    Inner* right = nullptr;
    std::uint64_t right_start = 0;
    if (inner->count == kInnerSize) {
      right = map_.make_inner(inner->level);
      if (right == nullptr) {
        return false;
      }
      right->edit = id_;
      right->link = fresh_;
      fresh_ = right;
      const std::size_t keep = at == kInnerSize ? kInnerSize - 1 : kInnerSize / 2;
      right_start = inner->starts.at(keep);
      for (std::size_t i = keep; i < kInnerSize; ++i) {
        right->starts.at(i - keep) = inner->starts.at(i);
        right->children.at(i - keep) = inner->children.at(i);
        inner->starts.at(i) = kNoStart;
      }
      right->starts.front() = 0;
      right->count = kInnerSize - keep;
      inner->count = keep;
      if (at > keep) {
        inner = right;
        at -= keep;
      }
    }
    make_room(inner->starts, at);
    make_room(inner->children, at);
    inner->starts.at(at) = start;
    inner->children.at(at) = child;
    ++inner->count;
    if (right == nullptr) {
      return true;
    }
    start = right_start;
    child = right;
  }
  Inner* const root = map_.make_inner(child->level + 1);
  if (root == nullptr) {
    return false;
  }
  root->edit = id_;
  root->link = fresh_;
  fresh_ = root;
  root->starts.at(0) = 0;
  root->starts.at(1) = start;
  root->children.at(0) = root_;
  root->children.at(1) = child;
  root->count = 2;
  root_ = root;
  return true;
}

bool AreaMap::Edit::erase(GuestPhysAddr start_address) {
  Path path;
  const std::uint64_t start = start_address.value();
  Leaf* const leaf = root_ == nullptr ? nullptr : descend(start, path);
  if (leaf == nullptr) {
    return false;
  }
  const std::size_t below = count_up_to(leaf->starts, start);
  check(below != 0 && leaf->starts.at(below - 1) == start, "area to erase");
  close_gap(leaf->starts, below - 1);
  close_gap(leaf->areas, below - 1);
  leaf->starts.back() = kNoStart;
  --leaf->count;
  --size_;
  if (leaf->count == 0) {
    drop(leaf);
    remove_child(path);
    return true;
  }
  return leaf->count >= kLeafSize / 4 || join_with_neighbour(path, leaf);
}

/// Takes out the child that `path` ends in, and every node that is empty without it.
void AreaMap::Edit::remove_child(Path& path) {
  while (path.depth != 0) {
    --path.depth;
    Inner* const inner = path.nodes.at(path.depth);
    close_gap(inner->starts, path.slots.at(path.depth));
    close_gap(inner->children, path.slots.at(path.depth));
    inner->starts.back() = kNoStart;
    inner->starts.front() = inner->count > 1 ? 0 : kNoStart;
    --inner->count;
    if (inner->count != 0) {
      break;
    }
    drop(inner);
    if (path.depth == 0) {
      root_ = nullptr;
      return;
    }
  }
  if (root_ != nullptr && root_->dropped) {
    root_ = nullptr;
  }
  // A root with one child is a level for nothing.
  while (root_ != nullptr && root_->level != 0 && root_->count == 1) {
    Node* const only = static_cast<Inner*>(root_)->children.front();
    drop(root_);
    root_ = only;
  }
}

/// Moves the few areas of `leaf` into the leaf beside it, if they fit well there.
bool AreaMap::Edit::join_with_neighbour(Path& path, Leaf* leaf) {
  if (path.depth == 0) {
    return true;
  }
  Inner* const parent = path.nodes.at(path.depth - 1);
  std::size_t& slot = path.slots.at(path.depth - 1);
  const bool leftmost = slot == 0;
  if (leftmost && parent->count == 1) {
    return true;
  }
  const std::size_t left_slot = leftmost ? slot : slot - 1;
  const std::size_t combined =
      parent->children.at(left_slot)->count + parent->children.at(left_slot + 1)->count;
  if (combined > kLeafSize * 3 / 4) {
    return true;
  }
  auto* const left = static_cast<Leaf*>(writable(parent->children.at(left_slot)));
  if (left == nullptr) {
    return false;
  }
  parent->children.at(left_slot) = left;
  Node* const right_node = parent->children.at(left_slot + 1);
  const auto* const right = static_cast<const Leaf*>(right_node);
  for (std::size_t i = 0; i < right->count; ++i) {
    left->starts.at(left->count + i) = right->starts.at(i);
    left->areas.at(left->count + i) = right->areas.at(i);
  }
  left->count = combined;
  (void)leaf;
  drop(right_node);
  slot = left_slot + 1;
  remove_child(path);
  return true;
}

}  // namespace nestling
