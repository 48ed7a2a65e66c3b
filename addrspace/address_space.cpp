// The life of an address space, new areas, and what every change checks first.
#include "addrspace/address_space.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "addrspace/address_space_extent.h"

namespace nestling {

namespace {

/// The pages that an area of this range could use, largest first, down to 4 KiB.
std::optional<PageSize> next_smaller(PageSize size) {
  switch (size) {
    case PageSize::k1GiB:
      return PageSize::k2MiB;
    case PageSize::k2MiB:
      return PageSize::k4KiB;
    case PageSize::k4KiB:
      break;
  }
  return std::nullopt;
}

bool holds_page(GuestPhysRange range, PageSize size) {
  const std::optional<GuestPhysAddr> first = range.start().aligned_up(bytes_of(size));
  const std::optional<GuestPhysRange> page =
      first ? GuestPhysRange::make(*first, bytes_of(size)) : std::nullopt;
  return page && range.contains(*page);
}

bool is_fault_granule(std::uint64_t bytes) {
  return is_power_of_two(bytes) && bytes >= kPageSize && bytes <= bytes_of(PageSize::k1GiB);
}

}  // namespace

Result<std::unique_ptr<AddressSpace>> AddressSpace::create(RamPool& pool, const Options& options) {
  const GuestPhysRange range = options.range;
  if (range.is_empty() || !range.start().is_aligned(kPageSize) || range.size() % kPageSize != 0) {
    return failure(make_error(ErrorKind::kUsage,
                              "an address space at {:#x}, {:#x} bytes, is empty or not aligned to "
                              "4 KiB",
                              range.start().value(), range.size()));
  }
  if (!is_fault_granule(options.fault_granule)) {
    return failure(make_error(ErrorKind::kUsage,
                              "a fault granule of {:#x} bytes is no power of two from 4 KiB to "
                              "1 GiB",
                              options.fault_granule));
  }
  std::unique_ptr<AddressSpace> space(new AddressSpace(pool, options));
  Result<Stage2Table, TableError> table =
      Stage2Table::create(options.format, space->frames_, space->epochs_,
                          TableOptions{.largest = options.largest_page});
  if (!table) {
    return failure(make_error(ErrorKind::kHostRefused, "no memory for a root page table: {}",
                              describe(table.error())));
  }
  const std::uint64_t width = table->gpa_bits();
  if (range.last().value() >> width != 0) {
    return failure(make_error(ErrorKind::kUsage,
                              "an address space at {:#x}, {:#x} bytes, passes the {} bits of {}",
                              range.start().value(), range.size(), width, table->format_name()));
  }
  space->table_.emplace(*std::move(table));
  return space;
}

AddressSpace::AddressSpace(RamPool& pool, const Options& options)
    : pool_(pool),
      options_(options),
      frames_(pool, options.table_limit),
      areas_(epochs_),
      audit_(options.audit_records),
      fault_granule_(options.fault_granule) {}

AddressSpace::~AddressSpace() {
  if (table_) {
    clear();
  }
}

SpaceError AddressSpace::error(Reason reason, GuestPhysRange range) {
  SpaceError result;
  result.reason = reason;
  result.range = range;
  return result;
}

SpaceError AddressSpace::error(const PoolError& cause, GuestPhysRange range) {
  const bool is_addresses = cause.reason == PoolError::Reason::kNoAddresses;
  SpaceError result = error(is_addresses ? Reason::kOutOfAddresses : Reason::kOutOfMemory, range);
  result.detail = describe(cause);
  return result;
}

SpaceError AddressSpace::error(const TableError& cause, GuestPhysRange range) {
  switch (cause.reason) {
    case TableError::Reason::kMisaligned:
      return error(Reason::kMisaligned, range);
    case TableError::Reason::kBeyondGuest:
      return error(Reason::kOutsideSpace, range);
    case TableError::Reason::kBeyondHost:
    case TableError::Reason::kNotExpressible:
      return error(Reason::kNotExpressible, range);
    case TableError::Reason::kOutOfTables:
      break;
  }
  return error(Reason::kOutOfTables, range);
}

AddressSpace::Refusal AddressSpace::refuse_range(GuestPhysRange range) const {
  if (!range.start().is_aligned(kPageSize) || range.size() % kPageSize != 0) {
    return error(Reason::kMisaligned, range);
  }
  if (!options_.range.contains(range)) {
    return error(Reason::kOutsideSpace, range);
  }
  return std::nullopt;
}

AddressSpace::Refusal AddressSpace::refuse_new_area(GuestPhysRange range,
                                                    const AreaOptions& options) const {
  if (range.is_empty()) {
    return error(Reason::kEmpty, range);
  }
  if (Refusal refusal = refuse_range(range)) {
    return refusal;
  }
  if (!is_expressible(options.access, options.type)) {
    return error(Reason::kNotExpressible, range);
  }
  const Guard guard = epochs_.enter();
  const Area* const found = areas_.find_from(guard, range.start());
  if (found != nullptr && found->range.overlaps(range)) {
    SpaceError overlap = error(Reason::kOverlap, range);
    overlap.at = std::max(range.start(), found->range.start());
    overlap.other = found->range;
    overlap.detail = *found->name;
    return overlap;
  }
  return std::nullopt;
}

/// Collects the areas in `range`, and refuses when there is a hole between them.
AddressSpace::Refusal AddressSpace::refuse_unless_covered(GuestPhysRange range) {
  collect(range);
  GuestPhysAddr covered_to = range.start();
  for (const Area& area : affected_) {
    if (area.range.start() > covered_to) {
      break;
    }
    covered_to = area.range.last() + 1;
  }
  if (covered_to <= range.last()) {
    SpaceError hole = error(Reason::kNoArea, range);
    hole.at = covered_to;
    return hole;
  }
  return std::nullopt;
}

bool AddressSpace::is_expressible(Access access, MemoryType type) const {
  return table_->with([&](const auto& table) {
    using Format = typename std::remove_cvref_t<decltype(table)>::Format;
    return Format::encode_leaf(LeafEntry{HostPhysAddr(0), PageSize::k4KiB, access, type})
        .has_value();
  });
}

const std::string* AddressSpace::intern(std::string_view name) {
  return &*names_.emplace(name).first;
}

/// An extent for an area, congruent to it modulo the largest page it could use; where the pool is
/// too broken up for that, modulo a smaller one.
Result<HostPhysRange, PoolError> AddressSpace::reserve_extent(GuestPhysRange range) {
  std::optional<PageSize> size = options_.largest_page;
  while (size && !holds_page(range, *size)) {
    size = next_smaller(*size);
  }
  for (;;) {
    const std::uint64_t modulus = bytes_of(size.value_or(PageSize::k4KiB));
    auto extent = pool_.reserve(range.size(), modulus, range.start().value() & (modulus - 1));
    size = size ? next_smaller(*size) : std::nullopt;
    if (extent || !size) {
      return extent;
    }
  }
}

Result<void, SpaceError> AddressSpace::map_linear(GuestPhysRange range, HostPhysAddr host,
                                                  const AreaOptions& options) {
  const ChangeScope scope(*this, ViewChange::Kind::kMap);
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_new_area(range, options)) {
    return failure(*refusal);
  }
  const auto frames = HostPhysRange::make(host, range.size());
  if (!frames || !pool_.contains(*frames) || !host.is_aligned(kPageSize)) {
    SpaceError outside =
        error(host.is_aligned(kPageSize) ? Reason::kOutsidePool : Reason::kMisaligned, range);
    outside.host = host;
    return failure(outside);
  }
  const Area area{.range = range,
                  .host = host,
                  .name = intern(options.name),
                  .backend = Backend::kLinear,
                  .access = options.access,
                  .type = options.type,
                  .audit = options.audit,
                  .resident = range.size()};
  changes_.assign(1, change_of(ViewChange::Kind::kMap, area, range));
  if (const Refusal refusal = ask_observers(changes_.front())) {
    return failure(*refusal);
  }
  auto plan = table_->plan_map(range, {host, options.access, options.type});
  if (!plan) {
    return failure(error(plan.error(), range));
  }
  AreaMap::Edit edit(areas_);
  if (!edit.insert(area)) {
    return failure(error(Reason::kOutOfNodes, range));
  }
  if (const Refusal refusal = prepare_observers(range)) {
    return failure(*refusal);
  }
  table_->apply(*std::move(plan));
  edit.commit();
  tell_observers_of_changes();
  return {};
}

Result<void, SpaceError> AddressSpace::map_alloc(GuestPhysRange range, Populate populate,
                                                 const AreaOptions& options) {
  const ChangeScope scope(*this, ViewChange::Kind::kMap);
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_new_area(range, options)) {
    return failure(*refusal);
  }
  const auto reserved = reserve_extent(range);
  if (!reserved) {
    return failure(error(reserved.error(), range));
  }
  Extent extent(pool_, *reserved);
  const bool is_eager = populate == Populate::kNow;
  const Area area{.range = range,
                  .host = reserved->start(),
                  .name = intern(options.name),
                  .backend = Backend::kAlloc,
                  .access = options.access,
                  .type = options.type,
                  .audit = options.audit,
                  .resident = is_eager ? range.size() : 0};
  changes_.assign(1, change_of(ViewChange::Kind::kMap, area, range));
  if (is_eager) {
    changes_.push_back(change_of(ViewChange::Kind::kPopulate, area, range));
  }
  for (const ViewChange& change : changes_) {
    if (const Refusal refusal = ask_observers(change)) {
      return failure(*refusal);
    }
  }
  std::optional<TablePlan> plan;
  if (is_eager) {
    if (const auto committed = extent.commit(); !committed) {
      return failure(error(committed.error(), range));
    }
    auto planned = table_->plan_map(range, {area.host, area.access, area.type});
    if (!planned) {
      return failure(error(planned.error(), range));
    }
    plan.emplace(*std::move(planned));
  }
  AreaMap::Edit edit(areas_);
  if (!edit.insert(area)) {
    return failure(error(Reason::kOutOfNodes, range));
  }
  if (const Refusal refusal = prepare_observers(range)) {
    return failure(*refusal);
  }
  extent.keep();
  if (plan) {
    table_->apply(*std::move(plan));
  }
  edit.commit();
  tell_observers_of_changes();
  return {};
}

bool AddressSpace::contains_range(GuestPhysAddr start, std::uint64_t size) const {
  const auto range = GuestPhysRange::make(start, size);
  return range && options_.range.contains(*range);
}

void AddressSpace::set_fault_granule(std::uint64_t granule) {
  check(is_fault_granule(granule), "a fault granule is a power of two from 4 KiB to 1 GiB");
  fault_granule_.store(granule, std::memory_order_relaxed);
}

void AddressSpace::set_area_node_limit(std::size_t nodes) {
  const std::lock_guard lock(writer_);
  areas_.set_node_limit(nodes);
}

void AddressSpace::add_observer(ViewObserver& observer) {
  const std::lock_guard lock(writer_);
  check(observers_.size() < kMostObservers, "too many observers of an address space");
  observers_.push_back(&observer);
}

void AddressSpace::remove_observer(ViewObserver& observer) {
  const std::lock_guard lock(writer_);
  observers_.erase(std::remove(observers_.begin(), observers_.end(), &observer), observers_.end());
}

SpaceError AddressSpace::refusal_of(const Error& cause, GuestPhysRange range) {
  SpaceError refused = error(Reason::kRefused, range);
  refused.detail = cause.message;
  return refused;
}

AddressSpace::Refusal AddressSpace::ask_observers(const ViewChange& change) const {
  for (ViewObserver* const observer : observers_) {
    if (const Result<void> permitted = observer->permits(change); !permitted) {
      return refusal_of(permitted.error(), change.range);
    }
  }
  return std::nullopt;
}

/// Has every observer prepare changes_, the last step of an operation of `range` that can fail.
AddressSpace::Refusal AddressSpace::prepare_observers(GuestPhysRange range) {
  for (std::size_t done = 0; done < observers_.size(); ++done) {
    if (const Result<void> prepared = observers_.at(done)->prepare(changes_); !prepared) {
      while (done-- != 0) {
        observers_.at(done)->abandon(changes_);
      }
      return refusal_of(prepared.error(), range);
    }
  }
  return std::nullopt;
}

void AddressSpace::tell_observers_of_changes() {
  for (const ViewChange& change : changes_) {
    tell_observers(change);
  }
}

void AddressSpace::tell_observers(const ViewChange& change) {
  for (ViewObserver* const observer : observers_) {
    observer->changed(change);
  }
}

}  // namespace nestling
