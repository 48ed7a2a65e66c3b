// Frames come into being: populate and page faults.
#include <algorithm>
#include <utility>

#include "addrspace/address_space.h"
#include "addrspace/address_space_extent.h"

namespace nestling {

namespace {

/// `unit` (a power of two) bytes around `gpa`, as far as they are in `area`.
GuestPhysRange block_around(GuestPhysAddr gpa, std::uint64_t unit, GuestPhysRange area) {
  return *GuestPhysRange::of(gpa.aligned_down(unit), unit).intersection(area);
}

}  // namespace

/// Appends what is not populated in `part` of `area` to missing_ and commits its frames, which are
/// appended to committed_. On refusal the caller uncommits.
AddressSpace::Refusal AddressSpace::commit_missing(const Area& area, GuestPhysRange part) {
  const std::size_t first = missing_.size();
  GuestPhysAddr at = part.start();
  const auto skip_to = [&](GuestPhysAddr next) {
    if (at < next) {
      missing_.push_back(GuestPhysRange::of(at, next.offset_from(at)));
    }
  };
  {
    const Guard guard = epochs_.enter();
    table_->visit(guard, part, [&](const MappedRun& run) {
      skip_to(run.guest.start());
      at = run.guest.last() + 1;
    });
  }
  skip_to(part.last() + 1);
  for (std::size_t i = first; i < missing_.size(); ++i) {
    const HostPhysRange frames = area.host_range(missing_.at(i));
    if (const auto committed = pool_.commit(frames); !committed) {
      return error(committed.error(), part);
    }
    committed_.push_back(frames);
    if (!observers_.empty()) {
      changes_.push_back(change_of(ViewChange::Kind::kPopulate, area, missing_.at(i)));
    }
  }
  return std::nullopt;
}

/// Asks the observers whether what commit_missing() collected may be populated.
AddressSpace::Refusal AddressSpace::ask_about_missing(GuestPhysRange range) {
  for (const ViewChange& change : changes_) {
    if (Refusal refusal = ask_observers(change)) {
      refusal->range = range;
      return refusal;
    }
  }
  return std::nullopt;
}

void AddressSpace::uncommit_missing() {
  for (const HostPhysRange& frames : committed_) {
    pool_.uncommit(frames);
  }
  committed_.clear();
  missing_.clear();
  changes_.clear();
}

/// Tables that mapping `part` of `area` can need at most, whatever is there now.
std::size_t AddressSpace::most_tables_for(const Area& area, GuestPhysRange part) const {
  // Two at the ends of the range on each level; between them only where pages cannot be as large.
  const std::uint64_t offset = area.host.value() ^ area.range.start().value();
  std::size_t tables = 0;
  for (unsigned bits = 21; bits < 57; bits += 9) {
    const bool fits = bits <= static_cast<unsigned>(options_.largest_page) &&
                      (offset & ((1ULL << bits) - 1)) == 0;
    tables += 2 + (fits ? 0 : part.size() >> bits);
  }
  return tables;
}

/// Makes the planned change, in which all of `part` becomes populated.
void AddressSpace::apply_populate(const Area& area, GuestPhysRange part, TablePlan plan) {
  table_->apply(std::move(plan));
  std::uint64_t added = 0;
  for (const GuestPhysRange& missing : missing_) {
    added += part.contains(missing) ? missing.size() : 0;
  }
  const std::uint64_t resident = area.resident.get();
  if (part == area.range) {
    areas_.set_resident(area.range.start(), area.range.size());
  } else if (resident != Area::kNotCounted) {
    areas_.set_resident(area.range.start(), resident + added);
  }
}

Result<void, SpaceError> AddressSpace::populate(GuestPhysRange range) {
  if (range.is_empty()) {
    return {};
  }
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_range(range)) {
    return failure(*refusal);
  }
  if (const Refusal refusal = populate_locked(range)) {
    return failure(*refusal);
  }
  return {};
}

AddressSpace::Refusal AddressSpace::populate_locked(GuestPhysRange range) {
  if (Refusal refusal = refuse_unless_covered(range)) {
    return refusal;
  }
  missing_.clear();
  committed_.clear();
  changes_.clear();
  // Of the areas only those stay that lack something.
  std::size_t lacking = 0;
  std::size_t tables = 0;
  for (std::size_t i = 0; i < affected_.size(); ++i) {
    const Area area = affected_.at(i);
    const GuestPhysRange part = *area.range.intersection(range);
    const std::size_t missing_before = missing_.size();
    if (area.is_full()) {
      continue;
    }
    if (Refusal refusal = commit_missing(area, part)) {
      uncommit_missing();
      refusal->range = range;
      return refusal;
    }
    if (missing_.size() != missing_before) {
      tables += most_tables_for(area, part);
      affected_.at(lacking++) = area;
    } else if (part == area.range) {
      areas_.set_resident(area.range.start(), area.range.size());  // not counted since a split
    }
  }
  if (lacking == 0) {
    return std::nullopt;
  }
  Refusal refusal = ask_about_missing(range);
  if (!refusal) {
    refusal = lacking == 1 ? populate_one(affected_.front(), range)
                           : populate_each(lacking, range, tables);
  }
  if (refusal) {
    uncommit_missing();
  }
  return refusal;
}

/// Populates what is missing in the part of `range` in `area`: a plan for one area is exact.
AddressSpace::Refusal AddressSpace::populate_one(const Area& area, GuestPhysRange range) {
  const GuestPhysRange part = *area.range.intersection(range);
  auto plan = table_->plan_map(part, {area.host_of(part.start()), area.access, area.type});
  if (!plan) {
    return error(plan.error(), range);
  }
  if (Refusal refusal = prepare_observers(range)) {
    return refusal;
  }
  apply_populate(area, part, *std::move(plan));
  tell_observers_of_changes();
  return std::nullopt;
}

/// The same for the first `count` of affected_. Their plans are made one after the other, so the
/// tables for all of them, `tables` at most, are set aside first.
AddressSpace::Refusal AddressSpace::populate_each(std::size_t count, GuestPhysRange range,
                                                  std::size_t tables) {
  if (!frames_.set_aside(tables)) {
    table_->reclaim();
    if (!frames_.set_aside(tables)) {
      return error(Reason::kOutOfTables, range);
    }
  }
  Refusal refusal = prepare_observers(range);
  for (std::size_t i = 0; i < count && !refusal; ++i) {
    const Area& area = affected_.at(i);
    const GuestPhysRange part = *area.range.intersection(range);
    auto plan = table_->plan_map(part, {area.host_of(part.start()), area.access, area.type});
    check(plan.has_value(), "tables that were set aside did not suffice");
    apply_populate(area, part, *std::move(plan));
  }
  frames_.release_set_aside();
  if (!refusal) {
    tell_observers_of_changes();
  }
  return refusal;
}

FaultResult AddressSpace::handle_page_fault(GuestPhysAddr gpa, Access access, Actor actor) {
  {
    // Most faults that lost a race need no lock.
    const Guard guard = epochs_.enter();
    if (const auto known = fault_without_change(guard, gpa, access)) {
      return count_fault({*known, {}}, gpa, access, actor);
    }
  }
  const std::lock_guard lock(writer_);
  return count_fault(fault_locked(gpa, access), gpa, access, actor);
}

/// What the fault comes to if nothing has to be populated for it.
std::optional<FaultOutcome> AddressSpace::fault_without_change(const Guard& guard,
                                                               GuestPhysAddr gpa,
                                                               Access access) const {
  const Area* const area = areas_.find(guard, gpa);
  if (area == nullptr) {
    return FaultOutcome::kNoArea;
  }
  if (!area->access.allows(access)) {
    return FaultOutcome::kDenied;
  }
  if (area->is_full() || table_->translate(guard, gpa)) {
    return FaultOutcome::kAlreadyPresent;
  }
  return std::nullopt;
}

FaultResult AddressSpace::fault_locked(GuestPhysAddr gpa, Access access) {
  const Guard guard = epochs_.enter();
  if (const auto known = fault_without_change(guard, gpa, access)) {
    return {*known, {}};
  }
  const Area& area = *areas_.find(guard, gpa);
  const auto populate_block = [&](GuestPhysRange block) {
    missing_.clear();
    committed_.clear();
    changes_.clear();
    Refusal refusal = commit_missing(area, block);
    if (!refusal) {
      refusal = ask_about_missing(block);
    }
    if (!refusal) {
      refusal = populate_one(area, block);
    }
    if (refusal) {
      uncommit_missing();
    }
    return refusal;
  };
  const GuestPhysRange block = block_around(gpa, fault_granule(), area.range);
  Refusal refusal = populate_block(block);
  if (!refusal) {
    return {FaultOutcome::kResolved, block};
  }
  // Near a limit: the one page that is needed.
  const GuestPhysRange page = block_around(gpa, kPageSize, area.range);
  if (page != block) {
    refusal = populate_block(page);
    if (!refusal) {
      return {FaultOutcome::kResolved, page};
    }
  }
  const bool is_refused = refusal->reason == Reason::kRefused;
  return {is_refused ? FaultOutcome::kRefused : FaultOutcome::kOutOfMemory, {}};
}

FaultResult AddressSpace::count_fault(FaultResult result, GuestPhysAddr gpa, Access access,
                                      Actor actor) {
  faults_.at(static_cast<std::size_t>(result.outcome)).fetch_add(1, std::memory_order_relaxed);
  const bool denied = result.outcome == FaultOutcome::kDenied;
  if (denied) {
    audit_.count_violation();
  }
  const Guard guard = epochs_.enter();
  const Area* const area = areas_.find(guard, gpa);
  if (area != nullptr && area->audit != AuditPolicy::kOff &&
      (denied || area->audit == AuditPolicy::kAll)) {
    audit_.record(actor, GuestPhysRange::of(gpa, 1), access,
                  denied ? AuditVerdict::kDenied : AuditVerdict::kAllowed);
  }
  return result;
}

/// Populates the pages of `range` (any alignment, all in areas) for a VMM-side access: with the
/// fault granule around them where the pool has room for it. False when it has not even room for
/// the pages, or the areas have changed.
bool AddressSpace::populate_for_access(GuestPhysRange range) {
  const std::lock_guard lock(writer_);
  const GuestPhysAddr first = range.start().aligned_down(kPageSize);
  const GuestPhysAddr last = range.last().aligned_down(kPageSize) + (kPageSize - 1);
  const GuestPhysRange pages = GuestPhysRange::of(first, last.offset_from(first) + 1);
  const Guard guard = epochs_.enter();
  const Area* const first_area = areas_.find(guard, first);
  const Area* const last_area = areas_.find(guard, last);
  if (first_area == nullptr || last_area == nullptr) {
    return false;
  }
  const std::uint64_t unit = fault_granule();
  const GuestPhysAddr from = block_around(first, unit, first_area->range).start();
  const GuestPhysAddr to = block_around(last, unit, last_area->range).last();
  return !populate_locked(GuestPhysRange::of(from, to.offset_from(from) + 1)) ||
         !populate_locked(pages);
}

}  // namespace nestling
