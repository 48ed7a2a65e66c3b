// NestedPageTable: one stage-2 page table (GPA to HPA) in a hardware entry format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "addrspace/entry_store.h"
#include "addrspace/range.h"
#include "addrspace/reader_epochs.h"
#include "addrspace/stage2_format.h"
#include "addrspace/table_frames.h"
#include "addrspace/table_plan.h"
#include "addrspace/table_view.h"
#include "base/result.h"

namespace nestling {

/// Maps guest-physical pages of 4 KiB, 2 MiB and 1 GiB.
///
///     root ──► table ──► table ──► table of 4 KiB leaves
///       │        └─ 1 GiB leaf └─ 2 MiB leaf
///
/// Canonical: every mapping stands in the largest entries that `TableOptions::largest`, alignment
/// and contiguity allow, and no table is empty. So the table is a function of what is mapped, not
/// of how it came about: entries are split and joined again as mappings change.
///
/// Readers (translate, query, walk, visit) are any number of threads, each inside a Guard of the
/// table's ReaderEpochs, while one writer at a time changes the table: at every instant a reader
/// finds for each page its old or its new mapping. Tables taken out are reused only when every
/// reader who might hold them has left. (The order of stores is right for software readers and for
/// walkers of hardware that need no break-before-make.)
///
/// A change is made in two steps: plan_…() validates everything and sets aside every frame it
/// needs; apply() cannot fail. map(), unmap() and protect() do both. A plan is for the table as it
/// stands: any other change makes it stale, and applying it then is a bug.
template <Stage2Format F, typename Store = AtomicEntryStore>
class NestedPageTable {
 public:
  using Format = F;
  using Guard = ReaderEpochs::Guard;

  /// An empty table. `frames` and `epochs` must outlive it. Fails with kOutOfTables when there is
  /// no room for the root.
  [[nodiscard]] static Result<NestedPageTable, TableError> create(TableFrames& frames,
                                                                  ReaderEpochs& epochs,
                                                                  TableOptions options = {},
                                                                  Store store = Store());
  NestedPageTable(NestedPageTable&& other) noexcept;
  NestedPageTable& operator=(NestedPageTable&&) = delete;
  NestedPageTable(const NestedPageTable&) = delete;
  NestedPageTable& operator=(const NestedPageTable&) = delete;
  /// Gives every table back. No reader may be inside.
  ~NestedPageTable();

  /// The host address of `gpa`, or nothing where no page is mapped.
  [[nodiscard]] std::optional<HostPhysAddr> translate(const Guard& /*guard*/,
                                                      GuestPhysAddr gpa) const {
    if (gpa.value() >> F::kGpaBits != 0) {
      return std::nullopt;
    }
    const std::uint64_t found = find<F::kLevels - 1>(root_entries_, gpa.value());
    return found != kNowhere ? std::optional(HostPhysAddr(found)) : std::nullopt;
  }

  /// What is mapped at `gpa`: its page's first guest byte, and what its entry says.
  [[nodiscard]] std::optional<MappedPage> query(const Guard& guard, GuestPhysAddr gpa) const;

  /// Every entry on the way to `gpa`, root first.
  [[nodiscard]] TableWalk walk(const Guard& guard, GuestPhysAddr gpa) const;

  /// Calls `visitor(const MappedRun&)` for what is mapped in `range`, ascending: runs as long as
  /// page size, rights and type stay equal and guest and host addresses advance together, cut to
  /// `range`.
  template <typename Visitor>
  void visit(const Guard& guard, GuestPhysRange range, Visitor&& visitor) const;

  /// To make `range` map linearly to the frames from `mapping.frame` on, whatever it mapped before.
  /// Fails with kMisaligned, kBeyondGuest, kBeyondHost, kNotExpressible or kOutOfTables.
  [[nodiscard]] Result<TablePlan, TableError> plan_map(GuestPhysRange range,
                                                       const TableMapping& mapping);
  /// To make `range` a hole, splitting pages that reach beyond it. Fails with kMisaligned,
  /// kBeyondGuest or kOutOfTables. An empty range is a plan that changes nothing.
  [[nodiscard]] Result<TablePlan, TableError> plan_unmap(GuestPhysRange range);
  /// To give what is mapped in `range` new rights; holes stay holes. Fails as plan_unmap(), and
  /// with kNotExpressible.
  [[nodiscard]] Result<TablePlan, TableError> plan_protect(GuestPhysRange range, Access access);

  /// Makes the change. Cannot fail.
  void apply(TablePlan plan);

  [[nodiscard]] Result<void, TableError> map(GuestPhysRange range, const TableMapping& mapping);
  [[nodiscard]] Result<void, TableError> unmap(GuestPhysRange range);
  [[nodiscard]] Result<void, TableError> protect(GuestPhysRange range, Access access);

  /// Gives back retired tables whose readers have left. Changes do this by themselves now and
  /// then. The writer's thread.
  void reclaim();

  /// The root's address, for EPTP, VTTBR, hgatp.
  [[nodiscard]] HostPhysAddr root() const { return root_.start(); }
  /// The writer's thread.
  [[nodiscard]] const TableStatistics& statistics() const { return statistics_; }

  /// The first broken invariant (a malformed or joinable entry, an empty table, a count that is
  /// off), or nothing. For tests and debug builds. The writer's thread.
  [[nodiscard]] std::optional<TableDefect> defect() const;

 private:
  struct Change;
  /// Guest addresses [first, last] inside one entry or table.
  struct Piece {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
  };
  /// A table, and where it stands in the tree.
  struct Table {
    RawEntry* entries = nullptr;
    unsigned level = 0;
    std::uint64_t start = 0;  ///< first guest address that it spans

    [[nodiscard]] std::uint64_t index_of(std::uint64_t gpa) const {
      return entries_below(gpa - start, level);
    }
    [[nodiscard]] std::uint64_t start_of(std::uint64_t index) const {
      return start + index * bytes_at_level(level);
    }
  };
  /// What a change takes: new tables, and at most so many entries of `retired_`.
  struct Needs {
    std::size_t tables = 0;
    std::size_t retired = 0;
  };
  /// A subtree out of readers' reach, as a whole, and the last epoch in which it was not.
  struct Retired {
    HostPhysAddr table;
    unsigned level = 0;
    std::uint64_t epoch = 0;
  };
  /// Whether readers can reach the table that is being changed.
  enum class Reach : std::uint8_t { kPublished, kPrivate };

  NestedPageTable(TableFrames& frames, ReaderEpochs& epochs, HostPhysRange root,
                  TableOptions options, Store store);

  /// What every pointer to a table holds besides its address.
  static constexpr RawEntry kTablePointer = F::encode_table(HostPhysAddr(0)).value();

  [[nodiscard]] RawEntry* entries_of(HostPhysAddr table) const {
    // Host memory becomes a table here, and nowhere else.
    return reinterpret_cast<RawEntry*>(window_ + table.value());
  }
  [[nodiscard]] Table child_of(const Table& table, RawEntry raw, std::uint64_t start) const {
    return {entries_of(F::address(raw)), table.level - 1, start};
  }
  [[nodiscard]] Table root_table() const { return {root_entries_, F::kLevels - 1, 0}; }

  /// No format has host-physical addresses of 64 bits.
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

  /// The host-physical address for `gpa` from a table at `Level` downwards, or kNowhere.
  template <unsigned Level>
  [[nodiscard]] std::uint64_t find(RawEntry* table, std::uint64_t gpa) const {
    const std::uint64_t span = bytes_at_level(Level);
    // The root may be wider than other tables; bits above it are known to be zero.
    const std::uint64_t index = Level == F::kLevels - 1 ? gpa / span : gpa / span % kTableEntries;
    const RawEntry raw = store_.load(table[index]);
    if constexpr (Level > 0) {
      if (F::is_table(raw)) [[likely]] {
        // Not F::address(): pointers to tables differ in their address only, so that a subtraction
        // does, which the processor's addressing does for nothing.
        const std::uint64_t child = (raw - kTablePointer) * (kPageSize / F::kPageStep);
        return find<Level - 1>(entries_of(HostPhysAddr(child)), gpa);
      }
    }
    if (F::kind(raw, Level) == EntryKind::kHole) {
      return kNowhere;
    }
    return F::address(raw).value() | (gpa & (span - 1));
  }

  [[nodiscard]] Result<TablePlan, TableError> plan(TablePlan::Action action, GuestPhysRange range,
                                                   const TableMapping& mapping);
  [[nodiscard]] Result<void, TableError> make(Result<TablePlan, TableError> plan);
  void count(Change& change, const Table& table, Piece part, Needs& needs) const;
  [[nodiscard]] static std::size_t tables_beneath(const Change& change, unsigned level,
                                                  std::uint64_t start, Piece piece);

  // True when an entry of `table` itself has changed.
  bool edit(Change& change, ReservedTables& tables, const Table& table, Piece part, Reach reach);
  bool edit_entry(Change& change, ReservedTables& tables, const Table& table, std::uint64_t start,
                  Piece piece, Reach reach);
  void put(RawEntry& entry, RawEntry value, Reach reach);
  void split_into(const Table& child, RawEntry raw, EntryKind kind);
  // True when it could be done.
  bool fold(const Change& change, const Table& child, RawEntry& entry, Piece changed);
  [[nodiscard]] bool is_empty(const Table& table, Piece emptied) const;
  [[nodiscard]] std::optional<RawEntry> joined(const Table& table) const;
  [[nodiscard]] static RawEntry resized(RawEntry leaf, unsigned from_level, unsigned to_level);

  static constexpr std::uint64_t kReclaimWeight = 64;
  /// About how many tables a subtree holds.
  [[nodiscard]] static std::uint64_t weight_of(unsigned level) {
    return 1ULL << (kTableIndexBits * level);
  }
  void retire(HostPhysAddr table, unsigned level);
  void free_children(const Table& table);
  void free_subtree(HostPhysAddr table, unsigned level);

  [[nodiscard]] std::uint64_t tables_in(const Table& table) const;
  [[nodiscard]] std::optional<TableDefect> defect_beneath(const Table& table,
                                                          std::uint64_t& tables) const;
  [[nodiscard]] const char* defect_of(RawEntry raw, unsigned level) const;

  template <typename Visitor>
  class RunCollector;
  template <typename Collector>
  void visit_table(const Table& table, Piece part, Collector& collector) const;

  Store store_;
  std::byte* window_;
  RawEntry* root_entries_;
  HostPhysRange root_;  // empty in a table that was moved away
  TableFrames* frames_;
  ReaderEpochs* epochs_;
  TableOptions options_;
  std::vector<Retired> retired_;  // by ascending epoch
  std::uint64_t retired_weight_ = 0;
  std::uint64_t reclaim_weight_ = kReclaimWeight;  // reclaim when retired_weight_ reaches it
  std::uint64_t generation_ = 0;                   // changes so far
  TableStatistics statistics_;
};

}  // namespace nestling

#include "addrspace/nested_page_table_visit.h"
