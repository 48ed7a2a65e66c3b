// NestedPageTable's writer, second half: making one planned change, entry by entry.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/nested_page_table.h"

namespace nestling {

/// One change as the recursion needs it: what each entry is to become.
template <Stage2Format F, typename Store>
struct NestedPageTable<F, Store>::Change {
  Change(const TablePlan& plan, TableOptions options)
      : action(plan.action_),
        range_first(plan.range_.start().value()),
        frame_first(plan.mapping_.frame.value()),
        access(plan.mapping_.access),
        type(plan.mapping_.type),
        largest(level_of(options.largest)) {}

  /// What a page of that size is to hold besides its address; found out when it is first needed.
  [[nodiscard]] RawEntry attributes_at(unsigned level) {
    RawEntry& known = attributes.at(level);
    if (known == 0) {
      // At frame 0 an entry is nothing but its attributes.
      const auto encoded = F::encode_leaf({HostPhysAddr(0), page_size_at(level), access, type});
      check(encoded.has_value(), "a mapping that was found expressible is not");
      known = *encoded;
    }
    return known;
  }

  [[nodiscard]] static std::uint64_t last_of(unsigned level, std::uint64_t start) {
    return start + (bytes_at_level(level) - 1);
  }
  [[nodiscard]] static bool covers(Piece piece, unsigned level, std::uint64_t start) {
    return piece.first == start && piece.last == last_of(level, start);
  }
  [[nodiscard]] static RawEntry address_bits(std::uint64_t frame) {
    return frame / kPageSize * F::kPageStep;
  }
  [[nodiscard]] static RawEntry attributes_of(RawEntry leaf) {
    return leaf - address_bits(F::address(leaf).value());
  }

  /// The frame for the page at `start`, which lies in the range.
  [[nodiscard]] std::uint64_t frame_at(std::uint64_t start) const {
    return frame_first + (start - range_first);
  }

  /// Whether an entry at `level` that is wholly in the range can express it, if it holds no table.
  [[nodiscard]] bool fits(unsigned level, std::uint64_t start) const {
    return action != TablePlan::Action::kMap ||
           (level <= largest && (frame_at(start) & (bytes_at_level(level) - 1)) == 0);
  }

  /// What the entry becomes when the change can be made in this one place; else nothing.
  [[nodiscard]] std::optional<RawEntry> replacement(RawEntry raw, EntryKind kind, unsigned level,
                                                    std::uint64_t start, Piece piece) {
    if (!covers(piece, level, start) || !fits(level, start)) {
      return std::nullopt;
    }
    switch (action) {
      case TablePlan::Action::kMap:
        return attributes_at(level) + address_bits(frame_at(start));
      case TablePlan::Action::kUnmap:
        return 0;
      case TablePlan::Action::kProtect:
        break;
    }
    if (kind == EntryKind::kTable) {
      return std::nullopt;
    }
    return kind == EntryKind::kHole ? raw : with_access(raw, level);
  }

  /// Whether a page larger than `piece` already is what the piece is to become.
  [[nodiscard]] bool is_satisfied(RawEntry leaf, unsigned level, std::uint64_t start, Piece piece) {
    switch (action) {
      case TablePlan::Action::kMap:
        return attributes_of(leaf) == attributes_at(level) &&
               F::address(leaf).value() + (piece.first - start) == frame_at(piece.first);
      case TablePlan::Action::kUnmap:
        return false;
      case TablePlan::Action::kProtect:
        return with_access(leaf, level) == leaf;
    }
    return false;
  }

  /// The leaf with this change's rights. Remembers the last answer: neighbours mostly share it.
  [[nodiscard]] RawEntry with_access(RawEntry leaf, unsigned level) {
    const RawEntry old_attributes = attributes_of(leaf);
    if (old_attributes != memo_from || level != memo_level) {
      const PageSize size = page_size_at(level);
      const std::optional<LeafEntry> decoded = F::decode_leaf(old_attributes, size);
      check(decoded.has_value(), "a page table holds an entry that was never encoded");
      const auto encoded = F::encode_leaf({HostPhysAddr(0), size, access, decoded->type});
      check(encoded.has_value(), "access that was found expressible is not");
      memo_from = old_attributes;
      memo_level = level;
      memo_to = *encoded;
    }
    return leaf - old_attributes + memo_to;
  }

  TablePlan::Action action;
  std::uint64_t range_first;
  std::uint64_t frame_first;
  Access access;
  MemoryType type;
  unsigned largest;                      // level of the largest pages
  std::array<RawEntry, 3> attributes{};  // kMap: by level; 0 where not yet needed
  RawEntry memo_from = 0;
  RawEntry memo_to = 0;
  unsigned memo_level = 0;
};

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::apply(TablePlan plan) {
  check(plan.generation_ == generation_, "a page table was changed after this plan was made");
  if (plan.range_.is_empty()) {
    return;
  }
  Change change(plan, options_);
  const std::size_t retired_before = retired_.size();
  edit(change, plan.tables_, root_table(),
       {plan.range_.start().value(), plan.range_.last().value()}, Reach::kPublished);
  ++generation_;
  if (retired_.size() == retired_before) {
    return;
  }
  const std::uint64_t epoch = epochs_->end_epoch();
  for (std::size_t i = retired_before; i < retired_.size(); ++i) {
    retired_[i].epoch = epoch;
  }
  if (retired_weight_ >= reclaim_weight_) {
    reclaim();
  }
}

template <Stage2Format F, typename Store>
bool NestedPageTable<F, Store>::edit(Change& change, ReservedTables& tables, const Table& table,
                                     Piece part, Reach reach) {
  const std::uint64_t first_index = table.index_of(part.first);
  const std::uint64_t last_index = table.index_of(part.last);
  const std::uint64_t count = last_index - first_index + 1;
  if (table.level == 0 && reach == Reach::kPrivate && change.action == TablePlan::Action::kMap) {
    store_.fill_private(std::span(table.entries + first_index, count),
                        change.attributes_at(0) + Change::address_bits(change.frame_at(part.first)),
                        F::kPageStep);
    return true;
  }
  bool has_changed = false;
  for (std::uint64_t index = first_index; index <= last_index; ++index) {
    const std::uint64_t start = table.start_of(index);
    const Piece piece = {std::max(part.first, start),
                         std::min(part.last, Change::last_of(table.level, start))};
    has_changed |= edit_entry(change, tables, table, start, piece, reach);
  }
  return has_changed;
}

template <Stage2Format F, typename Store>
bool NestedPageTable<F, Store>::edit_entry(Change& change, ReservedTables& tables,
                                           const Table& table, std::uint64_t start, Piece piece,
                                           Reach reach) {
  RawEntry& entry = table.entries[table.index_of(start)];
  const RawEntry raw = store_.load(entry);
  const EntryKind kind = F::kind(raw, table.level);
  const std::optional<RawEntry> whole = change.replacement(raw, kind, table.level, start, piece);
  if (whole) {
    if (*whole == raw) {
      return false;
    }
    put(entry, *whole, reach);
    if (kind == EntryKind::kTable) {
      retire(F::address(raw), table.level - 1);
    }
    return true;
  }
  if (kind == EntryKind::kTable) {
    const Table child = child_of(table, raw, start);
    // A table that has not changed itself is neither empty nor uniform now if it was not before.
    return edit(change, tables, child, piece, reach) && fold(change, child, entry, piece);
  }
  const bool is_done = kind == EntryKind::kHole
                           ? change.action != TablePlan::Action::kMap
                           : change.is_satisfied(raw, table.level, start, piece);
  if (is_done) {
    return false;
  }
  // In place of the hole or the too large page comes a table, complete before a reader can see it.
  const HostPhysAddr frame = tables.take();
  ++statistics_.tables;
  const Table child = {entries_of(frame), table.level - 1, start};
  split_into(child, raw, kind);
  edit(change, tables, child, piece, Reach::kPrivate);
  put(entry, kTablePointer + Change::address_bits(frame.value()), reach);
  return true;
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::put(RawEntry& entry, RawEntry value, Reach reach) {
  if (reach == Reach::kPublished) {
    store_.store(entry, value);
  } else {
    store_.fill_private(std::span(&entry, 1), value, 0);
  }
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::split_into(const Table& child, RawEntry raw, EntryKind kind) {
  const std::span<RawEntry> entries(child.entries, kTableEntries);
  if (kind == EntryKind::kHole) {
    store_.fill_private(entries, 0, 0);
    return;
  }
  ++statistics_.splits;
  store_.fill_private(entries, resized(raw, child.level + 1, child.level),
                      F::kPageStep << (kTableIndexBits * child.level));
}

template <Stage2Format F, typename Store>
RawEntry NestedPageTable<F, Store>::resized(RawEntry leaf, unsigned from_level, unsigned to_level) {
  std::optional<LeafEntry> decoded = F::decode_leaf(leaf, page_size_at(from_level));
  check(decoded.has_value(), "a page table holds an entry that was never encoded");
  decoded->size = page_size_at(to_level);
  const std::optional<RawEntry> encoded = F::encode_leaf(*decoded);
  check(encoded.has_value(), "a page has no encoding at another size");
  return *encoded;
}

template <Stage2Format F, typename Store>
bool NestedPageTable<F, Store>::fold(const Change& change, const Table& child, RawEntry& entry,
                                     Piece changed) {
  if (change.action == TablePlan::Action::kUnmap) {
    if (!is_empty(child, changed)) {
      return false;
    }
    store_.store(entry, 0);
  } else {
    const std::optional<RawEntry> whole = joined(child);
    if (!whole) {
      return false;
    }
    store_.store(entry, *whole);
    ++statistics_.joins;
  }
  const auto offset = reinterpret_cast<std::byte*>(child.entries) - window_;
  retire(HostPhysAddr(static_cast<std::uint64_t>(offset)), child.level);
  return true;
}

template <Stage2Format F, typename Store>
bool NestedPageTable<F, Store>::is_empty(const Table& table, Piece emptied) const {
  const auto is_hole = [&](RawEntry& entry) {
    return F::kind(store_.load(entry), table.level) == EntryKind::kHole;
  };
  // Look beside what was emptied first: whoever unmaps page after page finds the next one there.
  const std::uint64_t first = table.index_of(emptied.first);
  const std::uint64_t behind = table.index_of(emptied.last) + 1;
  if ((behind < kTableEntries && !is_hole(table.entries[behind])) ||
      (first > 0 && !is_hole(table.entries[first - 1]))) {
    return false;
  }
  return std::all_of(table.entries, table.entries + kTableEntries, is_hole);
}

template <Stage2Format F, typename Store>
std::optional<RawEntry> NestedPageTable<F, Store>::joined(const Table& table) const {
  if (table.level >= level_of(options_.largest)) {
    return std::nullopt;
  }
  const RawEntry first = store_.load(table.entries[0]);
  const RawEntry step = F::kPageStep << (kTableIndexBits * table.level);
  // The last entry first: it decides most often.
  if (F::kind(first, table.level) != EntryKind::kLeaf ||
      !F::address(first).is_aligned(bytes_at_level(table.level + 1)) ||
      store_.load(table.entries[kTableEntries - 1]) != first + step * (kTableEntries - 1)) {
    return std::nullopt;
  }
  for (std::uint64_t i = 1; i < kTableEntries; ++i) {
    if (store_.load(table.entries[i]) != first + step * i) {
      return std::nullopt;
    }
  }
  return resized(first, table.level, table.level + 1);
}

}  // namespace nestling
