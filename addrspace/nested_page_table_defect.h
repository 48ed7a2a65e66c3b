// NestedPageTable's self-check: every invariant of the tree, entry by entry.
#pragma once

#include <cstdint>
#include <optional>

#include "addrspace/nested_page_table.h"

namespace nestling {

template <Stage2Format F, typename Store>
std::optional<TableDefect> NestedPageTable<F, Store>::defect() const {
  std::uint64_t tables = root_.size() / kPageSize;
  if (auto found = defect_beneath(root_table(), tables)) {
    return found;
  }
  for (const Retired& each : retired_) {
    tables += 1 + tables_in({entries_of(each.table), each.level, 0});
  }
  if (tables != statistics_.tables || retired_.size() != statistics_.retired) {
    return TableDefect{GuestPhysAddr(0), F::kLevels - 1, 0, "tables are miscounted"};
  }
  return std::nullopt;
}

template <Stage2Format F, typename Store>
std::uint64_t NestedPageTable<F, Store>::tables_in(const Table& table) const {
  std::uint64_t tables = 0;
  for (std::uint64_t i = 0; table.level > 0 && i < kTableEntries; ++i) {
    const RawEntry raw = store_.load(table.entries[i]);
    if (F::kind(raw, table.level) == EntryKind::kTable) {
      tables += 1 + tables_in(child_of(table, raw, 0));
    }
  }
  return tables;
}

template <Stage2Format F, typename Store>
std::optional<TableDefect> NestedPageTable<F, Store>::defect_beneath(const Table& table,
                                                                     std::uint64_t& tables) const {
  const std::uint64_t entries =
      table.level == F::kLevels - 1 ? root_.size() / sizeof(RawEntry) : kTableEntries;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const RawEntry raw = store_.load(table.entries[i]);
    const std::uint64_t start = table.start_of(i);
    if (const char* what = defect_of(raw, table.level)) {
      return TableDefect{GuestPhysAddr(start), table.level, raw, what};
    }
    if (F::kind(raw, table.level) != EntryKind::kTable) {
      continue;
    }
    ++tables;
    const Table child = child_of(table, raw, start);
    if (is_empty(child, {start, start})) {
      return TableDefect{GuestPhysAddr(start), table.level, raw, "points to an empty table"};
    }
    if (joined(child)) {
      return TableDefect{GuestPhysAddr(start), table.level, raw, "could be one huge page"};
    }
    if (auto found = defect_beneath(child, tables)) {
      return found;
    }
  }
  return std::nullopt;
}

template <Stage2Format F, typename Store>
const char* NestedPageTable<F, Store>::defect_of(RawEntry raw, unsigned level) const {
  switch (F::kind(raw, level)) {
    case EntryKind::kHole:
      return raw == 0 ? nullptr : "a hole that is not zero";
    case EntryKind::kTable:
      return F::encode_table(F::address(raw)) == raw ? nullptr : "malformed pointer to a table";
    case EntryKind::kLeaf:
      break;
  }
  if (level > level_of(options_.largest)) {
    return "a page larger than allowed";
  }
  const std::optional<LeafEntry> leaf = F::decode_leaf(raw, page_size_at(level));
  return leaf && F::encode_leaf(*leaf) == raw ? nullptr : "misconfigured page";
}

}  // namespace nestling
