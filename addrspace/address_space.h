// AddressSpace: one VM's guest-physical memory: areas, the stage-2 table, and the frames behind it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "addrspace/area.h"
#include "addrspace/area_map.h"
#include "addrspace/audit_log.h"
#include "addrspace/guest_memory.h"
#include "addrspace/pool_table_frames.h"
#include "addrspace/ram_pool.h"
#include "addrspace/reader_epochs.h"
#include "addrspace/space_error.h"
#include "addrspace/space_types.h"
#include "addrspace/stage2_table.h"
#include "addrspace/view_observer.h"
#include "base/result.h"

namespace nestling {

/// GPA to HPA for one VM, kept in a hardware's entry format.
///
///     areas:   |  "ram" alloc    |      | "rom" linear |        what may be there
///     table:   |##2M##|4|4|      |      |4|4|4|4|4|4|4|         what is there: entries
///     pool:    |######|#|#|......|               frames, contiguous for each area
///
/// Every change validates all its input, sets aside all it needs, and only then changes anything:
/// when it returns an error, nothing has changed. Changes are made by any thread, one at a time
/// (they lock). Reads (translate, query, translate_and_get_limit, translated_byte_buffer of
/// populated memory) never lock and never allocate; they see the view before or after a change.
///
/// Ranges of changes are multiples of 4 KiB unless said otherwise (else kMisaligned) and lie in the
/// space (else kOutsideSpace).
class AddressSpace {
 public:
  using Guard = ReaderEpochs::Guard;

  struct Options {
    /// The guest-physical addresses there are: 4 KiB-aligned, not empty, within the format's width.
    GuestPhysRange range;
    Stage2Kind format = Stage2Kind::kEpt4;
    /// No table entry maps more at once.
    PageSize largest_page = PageSize::k1GiB;
    /// Bytes that one page fault populates, where they fit in the area: a power of two from 4 KiB
    /// to 1 GiB.
    std::uint64_t fault_granule = bytes_of(PageSize::k2MiB);
    std::size_t audit_records = 1024;
    /// Bytes that page tables may take, for tests and for hosts that are short of memory.
    std::uint64_t table_limit = UINT64_MAX;
  };

  /// An empty space over `pool`, which must outlive it and may be shared. Fails with kUsage when an
  /// option is out of its bounds, with kHostRefused when the pool has no room for the root table.
  [[nodiscard]] static Result<std::unique_ptr<AddressSpace>> create(RamPool& pool,
                                                                    const Options& options);
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;
  /// Gives every frame of its own back. No reader may be inside.
  ~AddressSpace();

  // --- the map ---------------------------------------------------------------------------------

  /// Maps `range` to the frames from `host` on, which exist already (RamPool::allocate(), or part
  /// of another area) and are never freed by this. Fails with kEmpty, kOutsidePool, kOverlap,
  /// kNotExpressible, kOutOfTables, kOutOfNodes, kRefused.
  [[nodiscard]] Result<void, SpaceError> map_linear(GuestPhysRange range, HostPhysAddr host,
                                                    const AreaOptions& options);

  /// Maps `range` to zeroed memory of its own, one extent of the pool, whose addresses are
  /// congruent to the guest's as far as huge pages can use it. Populated now, or on first touch:
  /// then it costs no frame and no table. Fails as map_linear(), with kOutOfAddresses and
  /// kOutOfMemory.
  [[nodiscard]] Result<void, SpaceError> map_alloc(GuestPhysRange range, Populate populate,
                                                   const AreaOptions& options);

  /// Makes `range` a hole, whatever was in it: several areas, parts of areas and of huge pages,
  /// holes. Frames of allocating areas go back to the host. An empty range is no change. Fails with
  /// kOutOfTables (a huge page must be split), kOutOfNodes, kRefused.
  [[nodiscard]] Result<void, SpaceError> unmap(GuestPhysRange range);

  /// Gives `range`, all of it in areas (else kNoArea), other rights; areas are split, and joined
  /// again when neighbours become equal. An empty range is no change. Fails with kNotExpressible,
  /// kOutOfTables, kOutOfNodes, kRefused.
  [[nodiscard]] Result<void, SpaceError> protect(GuestPhysRange range, Access access);

  /// Unmaps everything. Cannot fail, and asks no observer.
  void clear();

  // --- frames under the map --------------------------------------------------------------------

  /// Populates all of `range`, which is all in areas (else kNoArea). All or nothing: fails with
  /// kOutOfMemory, kOutOfTables, kRefused.
  [[nodiscard]] Result<void, SpaceError> populate(GuestPhysRange range);

  /// Gives the frames in `range` back to the host, while its areas stay: what was in them is zero
  /// when it is populated again. All of it must be in allocating areas (else kNoArea,
  /// kNotAllocating). Fails with kOutOfTables (a huge page must be split), kRefused.
  [[nodiscard]] Result<void, SpaceError> discard(GuestPhysRange range);

  /// What the guest's access of `gpa`, which met no mapping or too few rights, comes to. Populates
  /// the fault granule around it when that is what it lacks: less where the area ends or the pool's
  /// limit is near. Idempotent; any number of vCPUs may fault on one page at once.
  FaultResult handle_page_fault(GuestPhysAddr gpa, Access access, Actor actor = {});

  // --- questions, lock-free --------------------------------------------------------------------

  /// Where `gpa` is in the pool, or why it is nowhere.
  [[nodiscard]] Translation translate(GuestPhysAddr gpa) const {
    const Guard guard = epochs_.enter();
    if (const std::optional<HostPhysAddr> host = table_->translate(guard, gpa)) [[likely]] {
      return Translation::found(*host);
    }
    return Translation::missing(why_missing(guard, gpa));
  }

  /// All there is to know about the page at `gpa`.
  [[nodiscard]] Result<PageInfo, Missing> query(GuestPhysAddr gpa) const;

  /// The populated bytes from `gpa` on that are contiguous in the host and inside one area: start()
  /// is where `gpa` is, and size() is at least 1.
  [[nodiscard]] Limit translate_and_get_limit(GuestPhysAddr gpa) const;

  /// Host spans over the guest's bytes in `range` (any alignment, any size), in order, adjoining
  /// ones merged. Fails with the first address at fault: kUnmapped, kDenied when an area refuses
  /// `access`, and where memory is not populated with kNotPopulated or, when it is to be populated,
  /// kOutOfMemory. The spans stay valid memory while the pool lives; what they show is the guest's
  /// only until the range is unmapped or discarded.
  [[nodiscard]] Result<SpanList, MemoryFault> translated_byte_buffer(
      GuestPhysRange range, Access access, Unpopulated unpopulated = Unpopulated::kFails,
      Actor actor = {});

  /// True when all of [start, start + size) is in the space; false when it wraps. The empty range
  /// is contained up to the space's end, and not behind it.
  [[nodiscard]] bool contains_range(GuestPhysAddr start, std::uint64_t size) const;

  /// The start of a hole of `size` bytes, aligned to `alignment` (a power of two of at least
  /// 4 KiB): the first at or above `hint`, else the first at all, all of it inside both `limit` and
  /// the space. Fails with kEmpty, kMisaligned, kNoRoom.
  [[nodiscard]] Result<GuestPhysAddr, SpaceError> find_free(GuestPhysAddr hint, std::uint64_t size,
                                                            GuestPhysRange limit,
                                                            std::uint64_t alignment) const;

  /// Calls `visitor(const Area&)` for each area that overlaps `range`, ascending. The reference is
  /// good for the call only.
  template <typename Visitor>
  void visit_areas(GuestPhysRange range, Visitor&& visitor) const {
    const Guard guard = epochs_.enter();
    areas_.visit(guard, range, visitor);
  }
  /// Calls `visitor(const MappedRun&)` for what is populated in `range`, ascending.
  template <typename Visitor>
  void visit_pages(GuestPhysRange range, Visitor&& visitor) const {
    const Guard guard = epochs_.enter();
    table_->visit(guard, range, visitor);
  }

  /// Counts changes that took away or changed what a reader may have seen; a cache filled under one
  /// value is good while it lasts.
  [[nodiscard]] std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  // --- watching --------------------------------------------------------------------------------

  /// Tells `observer` of every change from now on, after those added before it; there are a few at
  /// most. It must be removed before it goes, or outlive the space; neither while a change goes on.
  void add_observer(ViewObserver& observer);
  void remove_observer(ViewObserver& observer);

  /// What of the areas in `range` the audit log is to keep, from now on; areas are split where the
  /// range ends. All of it must be in areas (else kNoArea). Fails with kOutOfNodes.
  [[nodiscard]] Result<void, SpaceError> set_audit_policy(GuestPhysRange range, AuditPolicy policy);
  [[nodiscard]] const AuditLog& audit_log() const { return audit_; }
  /// Who is told of what the audit log keeps, and of every access of the VMM's that fails; null for
  /// nobody. Before other threads use the space, and after.
  void set_audit_listener(AuditListener* listener) { audit_.set_listener(listener); }

  /// What one page fault populates from now on; as Options::fault_granule, within its bounds. Any
  /// thread; an observer may, too.
  void set_fault_granule(std::uint64_t granule);
  [[nodiscard]] std::uint64_t fault_granule() const {
    return fault_granule_.load(std::memory_order_relaxed);
  }

  /// How many nodes of one to two KiB the bookkeeping of areas may take from now on, for tests and
  /// for hosts that are short of memory. Behind it, changes fail with kOutOfNodes.
  void set_area_node_limit(std::size_t nodes);

  /// Counted now, by visiting every entry.
  [[nodiscard]] SpaceStatistics statistics();

  /// The first broken invariant of areas, table and frames, or nothing. For tests and debug builds.
  [[nodiscard]] std::optional<std::string> defect() const;

  [[nodiscard]] GuestPhysRange range() const { return options_.range; }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] RamPool& pool() const { return pool_; }
  /// The table itself, for walks, dumps and the root's address. Changed by this space alone.
  [[nodiscard]] const Stage2Table& table() const { return *table_; }

 private:
  AddressSpace(RamPool& pool, const Options& options);

  using Reason = SpaceError::Reason;
  using Refusal = std::optional<SpaceError>;
  class Extent;
  class ChangeScope;
  static constexpr std::size_t kMostObservers = 8;
  struct Hole {
    std::uint64_t size = 0;
    std::uint64_t alignment = kPageSize;
  };
  /// An access from the VMM's side, and whose it is.
  struct Attempt {
    GuestPhysRange range;
    Access access;
    Actor actor;
  };

  [[nodiscard]] Missing why_missing(const Guard& guard, GuestPhysAddr gpa) const;
  [[nodiscard]] std::uint64_t populated_prefix(const Guard& guard, GuestPhysRange range) const;
  [[nodiscard]] MemoryFault fault_at(GuestPhysAddr at, MemoryFault::Reason reason, const Area* area,
                                     const Attempt& attempt);
  [[nodiscard]] Result<SpanList, MemoryFault> populated_spans(const Attempt& attempt);
  [[nodiscard]] std::optional<GuestPhysAddr> first_hole(GuestPhysRange within,
                                                        const Hole& wanted) const;

  [[nodiscard]] static SpaceError error(Reason reason, GuestPhysRange range);
  [[nodiscard]] static SpaceError error(const PoolError& cause, GuestPhysRange range);
  [[nodiscard]] static SpaceError error(const TableError& cause, GuestPhysRange range);
  [[nodiscard]] Refusal refuse_range(GuestPhysRange range) const;
  [[nodiscard]] Refusal refuse_new_area(GuestPhysRange range, const AreaOptions& options) const;
  [[nodiscard]] Refusal refuse_unless_covered(GuestPhysRange range);
  [[nodiscard]] bool is_expressible(Access access, MemoryType type) const;
  [[nodiscard]] const std::string* intern(std::string_view name);
  [[nodiscard]] Result<HostPhysRange, PoolError> reserve_extent(GuestPhysRange range);

  void collect(GuestPhysRange range);
  [[nodiscard]] bool rewrite(AreaMap::Edit& edit) const;
  void join_rewritten(GuestPhysRange range);
  template <typename Alter, typename LastQuestion>
  [[nodiscard]] Result<void, SpaceError> rewrite_parts(GuestPhysRange range, Alter alter,
                                                       LastQuestion refusal);
  std::uint64_t collect_runs(GuestPhysRange part);
  void remove_pages(std::optional<TablePlan> plan);

  [[nodiscard]] Refusal populate_locked(GuestPhysRange range);
  [[nodiscard]] Refusal populate_one(const Area& area, GuestPhysRange range);
  [[nodiscard]] Refusal populate_each(std::size_t count, GuestPhysRange range, std::size_t tables);
  [[nodiscard]] bool populate_for_access(GuestPhysRange range);
  [[nodiscard]] Refusal commit_missing(const Area& area, GuestPhysRange part);
  [[nodiscard]] Refusal ask_about_missing(GuestPhysRange range);
  void uncommit_missing();
  [[nodiscard]] std::size_t most_tables_for(const Area& area, GuestPhysRange part) const;
  void apply_populate(const Area& area, GuestPhysRange part, TablePlan plan);
  [[nodiscard]] std::optional<FaultOutcome> fault_without_change(const Guard& guard,
                                                                 GuestPhysAddr gpa,
                                                                 Access access) const;
  [[nodiscard]] FaultResult fault_locked(GuestPhysAddr gpa, Access access);
  FaultResult count_fault(FaultResult result, GuestPhysAddr gpa, Access access, Actor actor);

  [[nodiscard]] static SpaceError refusal_of(const Error& cause, GuestPhysRange range);
  [[nodiscard]] Refusal ask_observers(const ViewChange& change) const;
  [[nodiscard]] Refusal prepare_observers(GuestPhysRange range);
  void tell_observers(const ViewChange& change);
  void tell_observers_of_changes();

  [[nodiscard]] std::optional<std::string> defect_of_areas(const Guard& guard) const;
  [[nodiscard]] std::optional<std::string> defect_of_pages(const Guard& guard) const;

  RamPool& pool_;
  const Options options_;
  mutable ReaderEpochs epochs_;
  PoolTableFrames frames_;
  std::optional<Stage2Table> table_;  // always there once create() has succeeded
  AreaMap areas_;
  AuditLog audit_;
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<std::uint64_t> fault_granule_;
  std::array<std::atomic<std::uint64_t>, kFaultOutcomes.size()> faults_{};

  mutable std::mutex writer_;  ///< guards changes, and what follows
  std::unordered_set<std::string> names_;
  std::vector<ViewObserver*> observers_;
  std::uint64_t area_splits_ = 0;
  std::uint64_t area_joins_ = 0;
  // The working set of one change, kept to be reused.
  std::vector<Area> affected_;            // areas that overlap its range, as they were
  std::vector<Area> rewritten_;           // what stands in their place
  std::vector<HostPhysRange> runs_;       // frames to give back
  std::vector<GuestPhysRange> missing_;   // pages to populate
  std::vector<HostPhysRange> committed_;  // the frames for them
  std::vector<ViewChange> changes_;       // what observers are asked and told, while there are any
};

}  // namespace nestling
