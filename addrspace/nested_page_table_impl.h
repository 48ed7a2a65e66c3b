// NestedPageTable's out-of-line parts: its life, planning, queries, reclaiming and self-check.
// For those who instantiate it with an entry store of their own; everybody else links to it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "addrspace/nested_page_table.h"
#include "addrspace/nested_page_table_change.h"
#include "addrspace/nested_page_table_defect.h"

namespace nestling {

template <Stage2Format F, typename Store>
Result<NestedPageTable<F, Store>, TableError> NestedPageTable<F, Store>::create(
    TableFrames& frames, ReaderEpochs& epochs, TableOptions options, Store store) {
  const std::optional<HostPhysRange> root = frames.allocate(kRootBytes<F>);
  if (!root) {
    return failure(TableError{TableError::Reason::kOutOfTables, {}});
  }
  check(root->start().is_aligned(kRootBytes<F>), "frames for a root table are not aligned");
  return NestedPageTable(frames, epochs, *root, options, std::move(store));
}

template <Stage2Format F, typename Store>
NestedPageTable<F, Store>::NestedPageTable(TableFrames& frames, ReaderEpochs& epochs,
                                           HostPhysRange root, TableOptions options, Store store)
    : store_(std::move(store)),
      window_(frames.window()),
      root_entries_(entries_of(root.start())),
      root_(root),
      frames_(&frames),
      epochs_(&epochs),
      options_(options) {
  statistics_.tables = root.size() / kPageSize;
  store_.fill_private(std::span(root_entries_, root.size() / sizeof(RawEntry)), 0, 0);
}

template <Stage2Format F, typename Store>
NestedPageTable<F, Store>::NestedPageTable(NestedPageTable&& other) noexcept
    : store_(std::move(other.store_)),
      window_(other.window_),
      root_entries_(other.root_entries_),
      root_(std::exchange(other.root_, {})),
      frames_(other.frames_),
      epochs_(other.epochs_),
      options_(other.options_),
      retired_(std::move(other.retired_)),
      retired_weight_(other.retired_weight_),
      reclaim_weight_(other.reclaim_weight_),
      generation_(other.generation_),
      statistics_(other.statistics_) {}

template <Stage2Format F, typename Store>
NestedPageTable<F, Store>::~NestedPageTable() {
  if (root_.is_empty()) {
    return;
  }
  for (const Retired& each : retired_) {
    free_subtree(each.table, each.level);
  }
  free_children(root_table());
  frames_->free(root_);
}

template <Stage2Format F, typename Store>
std::optional<MappedPage> NestedPageTable<F, Store>::query(const Guard& guard,
                                                           GuestPhysAddr gpa) const {
  const TableWalk found = walk(guard, gpa);
  if (found.steps().empty() || found.steps().back().kind != EntryKind::kLeaf) {
    return std::nullopt;
  }
  const TableStep& leaf = found.steps().back();
  const auto entry = F::decode_leaf(leaf.raw, page_size_at(leaf.level));
  check(entry.has_value(), "a page table holds an entry that was never encoded");
  return MappedPage{gpa.aligned_down(bytes_at_level(leaf.level)), *entry};
}

template <Stage2Format F, typename Store>
TableWalk NestedPageTable<F, Store>::walk(const Guard& /*guard*/, GuestPhysAddr gpa) const {
  TableWalk steps;
  if (gpa.value() >> F::kGpaBits != 0) {
    return steps;
  }
  HostPhysAddr at = root_.start();
  for (Table table = root_table();;) {
    const std::uint64_t index = table.index_of(gpa.value());
    const RawEntry raw = store_.load(table.entries[index]);
    const EntryKind kind = F::kind(raw, table.level);
    steps.append({table.level, at + index * sizeof(RawEntry), raw, kind});
    if (kind != EntryKind::kTable) {
      return steps;
    }
    at = F::address(raw);
    table = child_of(table, raw, table.start_of(index));
  }
}

template <Stage2Format F, typename Store>
Result<TablePlan, TableError> NestedPageTable<F, Store>::plan(TablePlan::Action action,
                                                              GuestPhysRange range,
                                                              const TableMapping& mapping) {
  const auto refusal = [&](TableError::Reason reason) {
    return failure(TableError{reason, range});
  };
  if (!range.start().is_aligned(kPageSize) || range.size() % kPageSize != 0 ||
      !mapping.frame.is_aligned(kPageSize)) {
    return refusal(TableError::Reason::kMisaligned);
  }
  if (!GuestPhysRange::of(GuestPhysAddr(0), 1ULL << F::kGpaBits).contains(range)) {
    return refusal(TableError::Reason::kBeyondGuest);
  }
  const auto frames = HostPhysRange::make(mapping.frame, range.size());
  if (!frames || !HostPhysRange::of(HostPhysAddr(0), 1ULL << F::kHpaBits).contains(*frames)) {
    return refusal(TableError::Reason::kBeyondHost);
  }
  if (action != TablePlan::Action::kUnmap &&
      !F::encode_leaf({HostPhysAddr(0), PageSize::k4KiB, mapping.access, mapping.type})) {
    return refusal(TableError::Reason::kNotExpressible);
  }
  TablePlan plan(action, range, mapping, ReservedTables(*frames_), generation_);
  if (range.is_empty()) {
    return plan;
  }
  Change change(plan, options_);
  Needs needs;
  count(change, root_table(), {range.start().value(), range.last().value()}, needs);
  while (plan.tables_.count() < needs.tables) {
    if (!plan.tables_.add()) {
      reclaim();
      if (!plan.tables_.add()) {
        return refusal(TableError::Reason::kOutOfTables);
      }
    }
  }
  if (const std::size_t wanted = retired_.size() + needs.retired; wanted > retired_.capacity()) {
    retired_.reserve(std::max(wanted, 2 * retired_.capacity()));
  }
  return plan;
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::count(Change& change, const Table& table, Piece part,
                                      Needs& needs) const {
  if (table.level == 0) {
    return;  // every page of 4 KiB can be written where it stands
  }
  const std::uint64_t last_index = table.index_of(part.last);
  for (std::uint64_t index = table.index_of(part.first); index <= last_index; ++index) {
    const std::uint64_t start = table.start_of(index);
    const Piece piece = {std::max(part.first, start),
                         std::min(part.last, Change::last_of(table.level, start))};
    const RawEntry raw = store_.load(table.entries[index]);
    const EntryKind kind = F::kind(raw, table.level);
    const bool is_one_store = change.replacement(raw, kind, table.level, start, piece).has_value();
    if (kind == EntryKind::kTable) {
      // Its table may go, be it replaced, emptied or joined.
      ++needs.retired;
      if (!is_one_store) {
        count(change, child_of(table, raw, start), piece, needs);
      }
    } else if (!is_one_store &&
               (kind == EntryKind::kHole ? change.action == TablePlan::Action::kMap
                                         : !change.is_satisfied(raw, table.level, start, piece))) {
      needs.tables += tables_beneath(change, table.level, start, piece);
    }
  }
}

template <Stage2Format F, typename Store>
std::size_t NestedPageTable<F, Store>::tables_beneath(const Change& change, unsigned level,
                                                      std::uint64_t start, Piece piece) {
  std::size_t tables = 1;
  if (level == 1) {
    return tables;
  }
  const std::uint64_t last_index = entries_below(piece.last - start, level - 1);
  for (std::uint64_t index = entries_below(piece.first - start, level - 1); index <= last_index;
       ++index) {
    const std::uint64_t child = start + index * bytes_at_level(level - 1);
    const Piece part = {std::max(piece.first, child),
                        std::min(piece.last, Change::last_of(level - 1, child))};
    if (!Change::covers(part, level - 1, child) || !change.fits(level - 1, child)) {
      tables += tables_beneath(change, level - 1, child, part);
    }
  }
  return tables;
}

template <Stage2Format F, typename Store>
Result<TablePlan, TableError> NestedPageTable<F, Store>::plan_map(GuestPhysRange range,
                                                                  const TableMapping& mapping) {
  return plan(TablePlan::Action::kMap, range, mapping);
}

template <Stage2Format F, typename Store>
Result<TablePlan, TableError> NestedPageTable<F, Store>::plan_unmap(GuestPhysRange range) {
  return plan(TablePlan::Action::kUnmap, range, {});
}

template <Stage2Format F, typename Store>
Result<TablePlan, TableError> NestedPageTable<F, Store>::plan_protect(GuestPhysRange range,
                                                                      Access access) {
  return plan(TablePlan::Action::kProtect, range, {HostPhysAddr(0), access});
}

template <Stage2Format F, typename Store>
Result<void, TableError> NestedPageTable<F, Store>::make(Result<TablePlan, TableError> plan) {
  if (!plan) {
    return failure(plan.error());
  }
  apply(*std::move(plan));
  return {};
}

template <Stage2Format F, typename Store>
Result<void, TableError> NestedPageTable<F, Store>::map(GuestPhysRange range,
                                                        const TableMapping& mapping) {
  return make(plan_map(range, mapping));
}

template <Stage2Format F, typename Store>
Result<void, TableError> NestedPageTable<F, Store>::unmap(GuestPhysRange range) {
  return make(plan_unmap(range));
}

template <Stage2Format F, typename Store>
Result<void, TableError> NestedPageTable<F, Store>::protect(GuestPhysRange range, Access access) {
  return make(plan_protect(range, access));
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::retire(HostPhysAddr table, unsigned level) {
  check(retired_.size() < retired_.capacity(), "a table was retired that no plan had counted");
  retired_.push_back({table, level, 0});
  retired_weight_ += weight_of(level);
  ++statistics_.retired;
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::reclaim() {
  if (retired_.empty()) {
    return;
  }
  auto still_read = retired_.end();
  if (!epochs_->have_left(retired_.back().epoch)) {
    still_read = std::find_if(retired_.begin(), retired_.end(),
                              [&](const Retired& each) { return !epochs_->have_left(each.epoch); });
  }
  for (auto each = retired_.begin(); each != still_read; ++each) {
    retired_weight_ -= weight_of(each->level);
    free_subtree(each->table, each->level);
  }
  retired_.erase(retired_.begin(), still_read);
  statistics_.retired = retired_.size();
  // Not after every change, for asking costs a system call; rarely while a reader stays inside.
  reclaim_weight_ = std::max(kReclaimWeight, 2 * retired_weight_);
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::free_children(const Table& table) {
  if (table.level == 0) {
    return;
  }
  const std::uint64_t entries =
      table.entries == root_entries_ ? root_.size() / sizeof(RawEntry) : kTableEntries;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const RawEntry raw = store_.load(table.entries[i]);
    if (F::kind(raw, table.level) == EntryKind::kTable) {
      free_subtree(F::address(raw), table.level - 1);
    }
  }
}

template <Stage2Format F, typename Store>
void NestedPageTable<F, Store>::free_subtree(HostPhysAddr table, unsigned level) {
  free_children({entries_of(table), level, 0});
  frames_->free(HostPhysRange::of(table, kPageSize));
  --statistics_.tables;
}

}  // namespace nestling
