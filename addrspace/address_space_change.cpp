// Changes of areas that exist: unmap, protect, discard, clear.
#include <algorithm>
#include <utility>

#include "addrspace/address_space.h"
#include "addrspace/address_space_extent.h"

namespace nestling {

/// Fills affected_ with the areas that overlap `range`.
void AddressSpace::collect(GuestPhysRange range) {
  affected_.clear();
  const Guard guard = epochs_.enter();
  areas_.visit(guard, range, [&](const Area& area) { affected_.push_back(area); });
}

/// Puts rewritten_ in the place of affected_: both ascending, and covering the same addresses but
/// for what is unmapped. False when there is no node.
bool AddressSpace::rewrite(AreaMap::Edit& edit) const {
  // First everything shrinks or goes, then what is new finds its place free.
  auto fresh = rewritten_.begin();
  for (const Area& old : affected_) {
    while (fresh != rewritten_.end() && fresh->range.start() < old.range.start()) {
      ++fresh;
    }
    const bool stays = fresh != rewritten_.end() && fresh->range.start() == old.range.start();
    if (!stays && !edit.erase(old.range.start())) {
      return false;
    }
  }
  auto old = affected_.begin();
  for (const Area& area : rewritten_) {
    while (old != affected_.end() && old->range.start() < area.range.start()) {
      ++old;
    }
    const bool stays = old != affected_.end() && old->range.start() == area.range.start();
    if (!(stays ? edit.replace(area) : edit.insert(area))) {
      return false;
    }
  }
  return true;
}

/// Joins neighbours in rewritten_ that nothing sets apart any more, `range` being what changed.
void AddressSpace::join_rewritten(GuestPhysRange range) {
  std::size_t kept = 0;
  for (std::size_t i = 1; i < rewritten_.size(); ++i) {
    Area& before = rewritten_.at(kept);
    const Area& area = rewritten_.at(i);
    // Areas that were made side by side stay two where the change does not touch them.
    const bool touched = before.range.overlaps(range) || area.range.overlaps(range);
    if (touched && before.continues_in(area)) {
      before = before.joined_with(area);
    } else {
      ++kept;
      if (kept != i) {
        rewritten_.at(kept) = area;
      }
    }
  }
  if (!rewritten_.empty()) {
    rewritten_.resize(kept + 1, rewritten_.front());
  }
}

/// Appends the populated frames of `part` to runs_, and says how many bytes they are.
std::uint64_t AddressSpace::collect_runs(GuestPhysRange part) {
  const Guard guard = epochs_.enter();
  std::uint64_t bytes = 0;
  table_->visit(guard, part, [&](const MappedRun& run) {
    bytes += run.guest.size();
    if (!runs_.empty() && runs_.back().end() == run.host) {
      runs_.back() =
          HostPhysRange::of(runs_.back().start(), runs_.back().size() + run.guest.size());
    } else {
      runs_.push_back(HostPhysRange::of(run.host, run.guest.size()));
    }
  });
  return bytes;
}

/// Makes the planned change of the table, then gives the frames in runs_ back: nobody can
/// translate to them any more.
void AddressSpace::remove_pages(std::optional<TablePlan> plan) {
  if (plan) {
    table_->apply(*std::move(plan));
  }
  // After the table: what a cache reads under the new number must be the new view.
  generation_.fetch_add(1, std::memory_order_acq_rel);
  for (const HostPhysRange& run : runs_) {
    pool_.uncommit(run);
  }
  runs_.clear();
}

Result<void, SpaceError> AddressSpace::unmap(GuestPhysRange range) {
  if (range.is_empty()) {
    return {};
  }
  const ChangeScope scope(*this, ViewChange::Kind::kUnmap);
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_range(range)) {
    return failure(*refusal);
  }
  collect(range);
  changes_.clear();
  rewritten_.clear();
  runs_.clear();
  bool is_populated = false;
  std::uint64_t splits = 0;
  for (const Area& area : affected_) {
    const GuestPhysRange part = *area.range.intersection(range);
    changes_.push_back(change_of(ViewChange::Kind::kUnmap, area, part));
    if (const Refusal refusal = ask_observers(changes_.back())) {
      return failure(*refusal);
    }
    if (area.resident.get() != 0) {
      is_populated = true;
      if (area.backend == Backend::kAlloc) {
        collect_runs(part);
      }
    }
    if (area.range.start() < part.start()) {
      rewritten_.push_back(area.piece(
          GuestPhysRange::of(area.range.start(), part.start().offset_from(area.range.start()))));
    }
    if (part.last() < area.range.last()) {
      splits += area.range.start() < part.start() ? 1U : 0U;
      rewritten_.push_back(area.piece(
          GuestPhysRange::of(part.last() + 1, area.range.last().offset_from(part.last()))));
    }
  }
  std::optional<TablePlan> plan;
  if (is_populated) {
    auto planned = table_->plan_unmap(range);
    if (!planned) {
      return failure(error(planned.error(), range));
    }
    plan.emplace(*std::move(planned));
  }
  AreaMap::Edit edit(areas_);
  if (!rewrite(edit)) {
    return failure(error(Reason::kOutOfNodes, range));
  }
  if (const Refusal refusal = prepare_observers(range)) {
    return failure(*refusal);
  }
  edit.commit();
  area_splits_ += splits;
  remove_pages(std::move(plan));
  for (const Area& area : affected_) {
    if (area.backend == Backend::kAlloc) {
      pool_.release(area.host_range(*area.range.intersection(range)));
    }
  }
  tell_observers_of_changes();
  return {};
}

Result<void, SpaceError> AddressSpace::protect(GuestPhysRange range, Access access) {
  if (range.is_empty()) {
    return {};
  }
  const ChangeScope scope(*this, ViewChange::Kind::kProtect);
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_range(range)) {
    return failure(*refusal);
  }
  if (const Refusal refusal = refuse_unless_covered(range)) {
    return failure(*refusal);
  }
  changes_.clear();
  // Rights that one of the areas' types forbids fail before anything else is looked at.
  for (const Area& area : affected_) {
    ViewChange change =
        change_of(ViewChange::Kind::kProtect, area, *area.range.intersection(range));
    change.access = access;
    if (!is_expressible(access, area.type)) {
      return failure(error(Reason::kNotExpressible, range));
    }
    if (const Refusal refusal = ask_observers(change)) {
      return failure(*refusal);
    }
    changes_.push_back(change);
  }
  auto plan = table_->plan_protect(range, access);
  if (!plan) {
    return failure(error(plan.error(), range));
  }
  Result<void, SpaceError> rewritten = rewrite_parts(
      range, [&](Area& part) { part.access = access; }, [&] { return prepare_observers(range); });
  if (!rewritten) {
    return rewritten;
  }
  table_->apply(*std::move(plan));
  generation_.fetch_add(1, std::memory_order_acq_rel);
  tell_observers_of_changes();
  return {};
}

Result<void, SpaceError> AddressSpace::set_audit_policy(GuestPhysRange range, AuditPolicy policy) {
  if (range.is_empty()) {
    return {};
  }
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_range(range)) {
    return failure(*refusal);
  }
  if (const Refusal refusal = refuse_unless_covered(range)) {
    return failure(*refusal);
  }
  return rewrite_parts(
      range, [&](Area& part) { part.audit = policy; }, [] { return Refusal(); });
}

/// Splits areas at the ends of `range`, which areas cover, lets `alter` change those inside, and
/// joins neighbours that have become equal. `refusal` is asked when nothing else can fail. Nothing
/// has changed when it fails.
template <typename Alter, typename LastQuestion>
Result<void, SpaceError> AddressSpace::rewrite_parts(GuestPhysRange range, Alter alter,
                                                     LastQuestion refusal) {
  // One page more on each side: the neighbours, which may join.
  const GuestPhysAddr first =
      range.start().value() == 0 ? range.start() : GuestPhysAddr(range.start().value() - 1);
  const std::uint64_t behind = range.last().plus(1) ? 1 : 0;
  collect(GuestPhysRange::of(first, range.last().offset_from(first) + 1 + behind));
  rewritten_.clear();
  std::uint64_t splits = 0;
  for (const Area& area : affected_) {
    const auto part = area.range.intersection(range);
    if (!part) {
      rewritten_.push_back(area);
      continue;
    }
    if (area.range.start() < part->start()) {
      rewritten_.push_back(area.piece(
          GuestPhysRange::of(area.range.start(), part->start().offset_from(area.range.start()))));
      ++splits;
    }
    rewritten_.push_back(area.piece(*part));
    alter(rewritten_.back());
    if (part->last() < area.range.last()) {
      rewritten_.push_back(area.piece(
          GuestPhysRange::of(part->last() + 1, area.range.last().offset_from(part->last()))));
      ++splits;
    }
  }
  const std::size_t before_joins = rewritten_.size();
  join_rewritten(range);
  AreaMap::Edit edit(areas_);
  if (!rewrite(edit)) {
    return failure(error(Reason::kOutOfNodes, range));
  }
  if (const Refusal refused = refusal()) {
    return failure(*refused);
  }
  edit.commit();
  area_splits_ += splits;
  area_joins_ += before_joins - rewritten_.size();
  return {};
}

Result<void, SpaceError> AddressSpace::discard(GuestPhysRange range) {
  if (range.is_empty()) {
    return {};
  }
  const ChangeScope scope(*this, ViewChange::Kind::kDiscard);
  const std::lock_guard lock(writer_);
  if (const Refusal refusal = refuse_range(range)) {
    return failure(*refusal);
  }
  if (const Refusal refusal = refuse_unless_covered(range)) {
    return failure(*refusal);
  }
  for (const Area& area : affected_) {
    if (area.backend != Backend::kAlloc) {
      SpaceError linear = error(Reason::kNotAllocating, range);
      linear.at = std::max(range.start(), area.range.start());
      linear.detail = *area.name;
      return failure(linear);
    }
  }
  changes_.clear();
  for (const Area& area : affected_) {
    changes_.push_back(
        change_of(ViewChange::Kind::kDiscard, area, *area.range.intersection(range)));
    if (const Refusal refusal = ask_observers(changes_.back())) {
      return failure(*refusal);
    }
  }
  auto plan = table_->plan_unmap(range);
  if (!plan) {
    return failure(error(plan.error(), range));
  }
  if (const Refusal refusal = prepare_observers(range)) {
    return failure(*refusal);
  }
  runs_.clear();
  for (Area& area : affected_) {
    const GuestPhysRange part = *area.range.intersection(range);
    const std::uint64_t removed = collect_runs(part);
    const std::uint64_t resident = area.resident.get();
    const std::uint64_t left = part == area.range              ? 0
                               : resident == Area::kNotCounted ? Area::kNotCounted
                                                               : resident - removed;
    area.resident.set(left);
  }
  for (const Area& area : affected_) {
    areas_.set_resident(area.range.start(), area.resident.get());
  }
  remove_pages(std::move(*plan));
  tell_observers_of_changes();
  return {};
}

void AddressSpace::clear() {
  const ChangeScope scope(*this, ViewChange::Kind::kUnmap);
  const std::lock_guard lock(writer_);
  // The guard keeps the old areas readable.
  const Guard guard = epochs_.enter();
  const AreaMap::Snapshot before = areas_.snapshot(guard);
  // A hole of everything splits no page and keeps no area: neither needs memory.
  auto plan = table_->plan_unmap(options_.range);
  check(plan.has_value(), "unmapping everything needed a table");
  AreaMap::Edit edit(areas_);
  edit.clear();
  edit.commit();
  // One area at a time, for the same reason, and whatever they say.
  before.visit(options_.range, [&](const Area& area) {
    const ViewChange change = change_of(ViewChange::Kind::kUnmap, area, area.range);
    for (ViewObserver* const observer : observers_) {
      (void)observer->prepare(std::span(&change, 1)).has_value();
    }
  });
  // Frames go back before their entries go: a list of them would need memory.
  before.visit(options_.range, [&](const Area& area) {
    if (area.backend == Backend::kAlloc) {
      table_->visit(guard, area.range, [&](const MappedRun& run) {
        pool_.uncommit(HostPhysRange::of(run.host, run.guest.size()));
      });
      pool_.release(area.host_range(area.range));
    }
  });
  table_->apply(*std::move(plan));
  generation_.fetch_add(1, std::memory_order_acq_rel);
  before.visit(options_.range, [&](const Area& area) {
    tell_observers(change_of(ViewChange::Kind::kUnmap, area, area.range));
  });
}

}  // namespace nestling
