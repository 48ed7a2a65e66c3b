// AreaMap: the areas of an address space in order, read without locks while one writer edits.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "addrspace/area.h"
#include "addrspace/reader_epochs.h"

namespace nestling {

/// A B+ tree of areas by start address. What readers can reach is never changed: an edit copies the
/// nodes on its path, and one store of the root publishes all of the edit at once. Replaced nodes
/// are reused when every reader who might hold them has left.
///
///          root ──► inner ──┬──► leaf: starts[32], areas[32]
///                           └──► leaf …            (depth 3 at 100,000 areas)
///
/// Readers are any number of threads, each inside a guard. Edits are made by one thread at a time.
class AreaMap {
  struct Node;
  struct Leaf;
  struct Inner;

 public:
  using Guard = ReaderEpochs::Guard;
  class Edit;
  class Snapshot;

  struct Options {
    /// Tree nodes (of one to two KiB) that may exist at a time.
    std::size_t node_limit = SIZE_MAX;
  };

  /// No areas. `epochs` must outlive the map.
  explicit AreaMap(ReaderEpochs& epochs);
  AreaMap(ReaderEpochs& epochs, Options options);
  AreaMap(const AreaMap&) = delete;
  AreaMap& operator=(const AreaMap&) = delete;
  /// No reader may be inside.
  ~AreaMap();

  /// The area that contains `gpa`, or null. Valid while the guard lives; holders of the writer's
  /// lock may keep it until the next edit is committed.
  [[nodiscard]] const Area* find(const Guard& guard, GuestPhysAddr gpa) const;

  /// The first area whose last byte is at `gpa` or above it, or null.
  [[nodiscard]] const Area* find_from(const Guard& guard, GuestPhysAddr gpa) const;

  /// The areas as they are now, whatever is committed later. Not to outlive the guard.
  [[nodiscard]] Snapshot snapshot(const Guard& guard) const;

  /// Calls `visitor(const Area&)` for every area that overlaps `range`, ascending.
  template <typename Visitor>
  void visit(const Guard& guard, GuestPhysRange range, Visitor&& visitor) const;

  /// Areas in the map. Writer's thread.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Changes Options::node_limit; below what is in use it only refuses more. Writer's thread.
  void set_node_limit(std::size_t limit) { options_.node_limit = limit; }
  /// Nodes in use or waiting for readers to leave. Writer's thread.
  [[nodiscard]] std::size_t node_count() const { return node_count_; }
  /// Nodes the published tree consists of, counted by walking it. Writer's thread.
  [[nodiscard]] std::size_t live_node_count() const;

  /// Changes the populated bytes of the area that starts at `start`. Writer's thread; readers see
  /// the old or the new count.
  void set_resident(GuestPhysAddr start, std::uint64_t bytes);

  /// The first broken invariant of order, disjointness or node structure, or nothing.
  [[nodiscard]] std::optional<std::string> defect() const;

 private:
  static constexpr std::size_t kLeafSize = 32;
  static constexpr std::size_t kInnerSize = 64;
  /// Replaced nodes that may pile up before readers are asked whether they have left.
  static constexpr std::size_t kRetiredBatch = 256;

  [[nodiscard]] static const Area* find_from(const Node* root, GuestPhysAddr gpa);
  [[nodiscard]] static const Area* last_before(const Node* root, std::uint64_t start);
  [[nodiscard]] static const Area* first_from(const Node* root, std::uint64_t start);
  [[nodiscard]] Leaf* make_leaf();
  [[nodiscard]] Inner* make_inner(unsigned level);
  void destroy(Node* node);
  void destroy_tree(Node* node);
  void retire(Node* node, std::uint64_t epoch);
  void retire_tree(Node* node, std::uint64_t epoch);
  void reclaim();
  [[nodiscard]] std::optional<std::string> defect_below(const Node* node, std::uint64_t low,
                                                        std::uint64_t high, std::size_t& areas,
                                                        std::uint64_t& end) const;

  ReaderEpochs& epochs_;
  Options options_;
  std::atomic<Node*> root_ = nullptr;  // null: no areas
  std::size_t size_ = 0;
  std::size_t node_count_ = 0;
  std::uint64_t next_edit_ = 1;
  Node* first_retired_ = nullptr;  // oldest first, linked
  Node* last_retired_ = nullptr;
  std::size_t retired_count_ = 0;
};

/// The areas at one instant.
class AreaMap::Snapshot {
 public:
  /// As AreaMap::visit().
  template <typename Visitor>
  void visit(GuestPhysRange range, Visitor&& visitor) const {
    if (range.is_empty()) {
      return;
    }
    const Area* area = AreaMap::find_from(root_, range.start());
    while (area != nullptr && area->range.start() <= range.last()) {
      const std::optional<GuestPhysAddr> next = area->range.end();
      visitor(*area);
      area = next ? AreaMap::find_from(root_, *next) : nullptr;
    }
  }

 private:
  friend class AreaMap;
  explicit Snapshot(const Node* root) : root_(root) {}

  const Node* root_;
};

inline AreaMap::Snapshot AreaMap::snapshot(const Guard& /*guard*/) const {
  return Snapshot(root_.load(std::memory_order_acquire));
}

template <typename Visitor>
void AreaMap::visit(const Guard& guard, GuestPhysRange range, Visitor&& visitor) const {
  snapshot(guard).visit(range, visitor);
}

/// Changes of an AreaMap that readers see all at once, or never when it is destroyed uncommitted.
/// After a function has returned false (no node left) the edit can only be destroyed. One edit at a
/// time.
class AreaMap::Edit {
 public:
  explicit Edit(AreaMap& map);
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;
  ~Edit();

  /// Adds an area that overlaps none.
  [[nodiscard]] bool insert(const Area& area);
  /// Takes out the area that starts at `start_address`, which exists.
  [[nodiscard]] bool erase(GuestPhysAddr start_address);
  /// Puts `area` in the place of the one with the same start.
  [[nodiscard]] bool replace(const Area& area);

  /// Takes out every area. The only change of its edit; needs no node.
  void clear();

  /// The area that contains `gpa` after the changes so far, or null.
  [[nodiscard]] const Area* find(GuestPhysAddr gpa) const;

  /// Publishes the changes. Cannot fail. Once.
  void commit();

 private:
  /// The way from the root to a leaf: inner nodes, and which child was taken.
  struct Path {
    static constexpr std::size_t kDepth = 12;
    std::array<Inner*, kDepth> nodes{};
    std::array<std::size_t, kDepth> slots{};
    std::size_t depth = 0;
  };

  [[nodiscard]] Node* writable(Node* node);
  [[nodiscard]] Leaf* descend(std::uint64_t start, Path& path);
  [[nodiscard]] bool insert_child(Path& path, std::uint64_t start, Node* child);
  void remove_child(Path& path);
  [[nodiscard]] bool join_with_neighbour(Path& path, Leaf* leaf);
  void drop(Node* node);

  AreaMap& map_;
  std::uint64_t id_;
  Node* root_;
  std::size_t size_;
  Node* fresh_ = nullptr;     // nodes made by this edit, linked
  Node* replaced_ = nullptr;  // nodes of the published tree that this edit copied, linked
  bool cleared_ = false;
  bool committed_ = false;
};

}  // namespace nestling
