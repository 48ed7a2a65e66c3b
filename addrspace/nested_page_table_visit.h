// The part of NestedPageTable that every user instantiates: visiting runs of mapped pages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "addrspace/nested_page_table.h"

namespace nestling {

/// Grows one run leaf by leaf, and hands it on when the next leaf does not continue it.
template <Stage2Format F, typename Store>
template <typename Visitor>
class NestedPageTable<F, Store>::RunCollector {
 public:
  RunCollector(Piece part, Visitor& visitor) : part_(part), visitor_(visitor) {}

  /// The leaf `raw` of a table at `level`, which maps the page at `start`. Ascending calls.
  void add(RawEntry raw, unsigned level, std::uint64_t start) {
    if (raw != next_raw_ || start != next_start_ || level != level_ || is_idle_) {
      finish();
      is_idle_ = false;
      level_ = level;
      first_raw_ = raw;
      first_start_ = start;
    }
    next_raw_ = raw + (F::kPageStep << (kTableIndexBits * level));
    next_start_ = start + bytes_at_level(level);
  }

  /// Hands on the run that is under way, if any.
  void finish() {
    if (std::exchange(is_idle_, true)) {
      return;
    }
    const std::optional<LeafEntry> leaf = F::decode_leaf(first_raw_, page_size_at(level_));
    check(leaf.has_value(), "a page table holds an entry that was never encoded");
    const std::uint64_t first = std::max(first_start_, part_.first);
    const std::uint64_t last = std::min(next_start_ - 1, part_.last);
    visitor_(MappedRun{GuestPhysRange::of(GuestPhysAddr(first), last - first + 1),
                       leaf->frame + (first - first_start_), leaf->size, leaf->access, leaf->type});
  }

 private:
  Piece part_;
  Visitor& visitor_;
  bool is_idle_ = true;
  unsigned level_ = 0;
  RawEntry first_raw_ = 0;
  RawEntry next_raw_ = 0;
  std::uint64_t first_start_ = 0;
  std::uint64_t next_start_ = 0;
};

template <Stage2Format F, typename Store>
template <typename Visitor>
void NestedPageTable<F, Store>::visit(const Guard& /*guard*/, GuestPhysRange range,
                                      Visitor&& visitor) const {
  const auto expressible = GuestPhysRange::of(GuestPhysAddr(0), 1ULL << F::kGpaBits);
  const std::optional<GuestPhysRange> part = range.intersection(expressible);
  if (!part) {
    return;
  }
  const Piece piece = {part->start().value(), part->last().value()};
  RunCollector<std::remove_reference_t<Visitor>> collector(piece, visitor);
  visit_table(root_table(), piece, collector);
  collector.finish();
}

template <Stage2Format F, typename Store>
template <typename Collector>
void NestedPageTable<F, Store>::visit_table(const Table& table, Piece part,
                                            Collector& collector) const {
  const std::uint64_t last_index = table.index_of(part.last);
  for (std::uint64_t index = table.index_of(part.first); index <= last_index; ++index) {
    const RawEntry raw = store_.load(table.entries[index]);
    const std::uint64_t start = table.start_of(index);
    switch (F::kind(raw, table.level)) {
      case EntryKind::kHole:
        break;
      case EntryKind::kLeaf:
        collector.add(raw, table.level, start);
        break;
      case EntryKind::kTable:
        visit_table(child_of(table, raw, start),
                    {std::max(part.first, start),
                     std::min(part.last, start + (bytes_at_level(table.level) - 1))},
                    collector);
        break;
    }
  }
}

}  // namespace nestling
