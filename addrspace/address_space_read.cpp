// What readers ask an address space, without locks.
#include <algorithm>

#include "addrspace/address_space.h"

namespace nestling {

namespace {

/// The rest of `range` behind its first `bytes`.
GuestPhysRange without_first(GuestPhysRange range, std::uint64_t bytes) {
  return bytes == range.size() ? GuestPhysRange()
                               : GuestPhysRange::of(range.start() + bytes, range.size() - bytes);
}

}  // namespace

Missing AddressSpace::why_missing(const Guard& guard, GuestPhysAddr gpa) const {
  if (!options_.range.contains(gpa)) {
    return Missing::kOutsideSpace;
  }
  return areas_.find(guard, gpa) == nullptr ? Missing::kNoArea : Missing::kNotPopulated;
}

Result<PageInfo, Missing> AddressSpace::query(GuestPhysAddr gpa) const {
  const Guard guard = epochs_.enter();
  const Area* const area = areas_.find(guard, gpa);
  const std::optional<MappedPage> page = table_->query(guard, gpa);
  if (area == nullptr || !page) {
    return failure(why_missing(guard, gpa));
  }
  return PageInfo{.host = page->entry.frame + gpa.offset_from(page->start),
                  .access = page->entry.access,
                  .type = page->entry.type,
                  .page_size = page->entry.size,
                  .area = *area->name};
}

/// How many bytes from the start of `range` on, which is in one area, are populated.
std::uint64_t AddressSpace::populated_prefix(const Guard& guard, GuestPhysRange range) const {
  std::uint64_t populated = 0;
  std::uint64_t window = bytes_of(PageSize::k2MiB);
  // Windows that grow: neither a visit of the whole area for its first hole, nor one for each page.
  while (populated < range.size()) {
    const GuestPhysRange rest = without_first(range, populated);
    const GuestPhysRange part = GuestPhysRange::of(rest.start(), std::min(rest.size(), window));
    bool is_whole = true;
    std::uint64_t reached = 0;
    table_->visit(guard, part, [&](const MappedRun& run) {
      is_whole = is_whole && run.guest.start().offset_from(part.start()) == reached;
      reached += is_whole ? run.guest.size() : 0;
    });
    populated += reached;
    if (reached != part.size()) {
      break;
    }
    window *= 2;
  }
  return populated;
}

Limit AddressSpace::translate_and_get_limit(GuestPhysAddr gpa) const {
  const Guard guard = epochs_.enter();
  const Area* const area = areas_.find(guard, gpa);
  if (area == nullptr) [[unlikely]] {
    return Limit::missing(why_missing(guard, gpa));
  }
  const GuestPhysRange rest = GuestPhysRange::of(gpa, area->range.last().value() - gpa.value() + 1);
  if (area->is_full()) [[likely]] {
    return Limit::found(area->host_range(rest));
  }
  const std::uint64_t populated = populated_prefix(guard, rest);
  if (populated == 0) {
    return Limit::missing(Missing::kNotPopulated);
  }
  return Limit::found(HostPhysRange::of(area->host_of(gpa), populated));
}

/// The fault of an access of `range` that fails at `at`, counted and recorded.
MemoryFault AddressSpace::fault_at(GuestPhysAddr at, MemoryFault::Reason reason, const Area* area,
                                   const Attempt& attempt) {
  if (reason == MemoryFault::Reason::kDenied) {
    audit_.count_violation();
    if (area->audit != AuditPolicy::kOff || audit_.has_listener()) {
      audit_.record(attempt.actor, attempt.range, attempt.access, AuditVerdict::kDenied);
    }
  } else if (reason == MemoryFault::Reason::kUnmapped && audit_.has_listener()) {
    audit_.record(attempt.actor, attempt.range, attempt.access, AuditVerdict::kUnmapped);
  }
  return MemoryFault{reason, at};
}

Result<SpanList, MemoryFault> AddressSpace::translated_byte_buffer(GuestPhysRange range,
                                                                   Access access,
                                                                   Unpopulated unpopulated,
                                                                   Actor actor) {
  const Attempt attempt{.range = range, .access = access, .actor = actor};
  auto spans = populated_spans(attempt);
  if (spans || unpopulated == Unpopulated::kFails ||
      spans.error().reason != MemoryFault::Reason::kNotPopulated) [[likely]] {
    return spans;
  }
  const GuestPhysAddr unpopulated_at = spans.error().address;
  // Only an access that all areas allow populates anything.
  {
    const Guard guard = epochs_.enter();
    for (GuestPhysRange rest = range; !rest.is_empty();) {
      const Area* const area = areas_.find(guard, rest.start());
      if (area == nullptr) {
        return failure(fault_at(rest.start(), MemoryFault::Reason::kUnmapped, area, attempt));
      }
      if (!area->access.allows(access)) {
        return failure(fault_at(rest.start(), MemoryFault::Reason::kDenied, area, attempt));
      }
      rest = without_first(rest, area->range.intersection(rest)->size());
    }
  }
  if (!populate_for_access(range)) {
    return failure(MemoryFault{MemoryFault::Reason::kOutOfMemory, unpopulated_at});
  }
  return populated_spans(attempt);
}

Result<SpanList, MemoryFault> AddressSpace::populated_spans(const Attempt& attempt) {
  const Guard guard = epochs_.enter();
  SpanList spans;
  for (GuestPhysRange rest = attempt.range; !rest.is_empty();) {
    const Area* const area = areas_.find(guard, rest.start());
    if (area == nullptr) [[unlikely]] {
      return failure(fault_at(rest.start(), MemoryFault::Reason::kUnmapped, area, attempt));
    }
    if (!area->access.allows(attempt.access)) [[unlikely]] {
      return failure(fault_at(rest.start(), MemoryFault::Reason::kDenied, area, attempt));
    }
    const GuestPhysRange part = *area->range.intersection(rest);
    if (!area->is_full()) {
      const std::uint64_t populated = populated_prefix(guard, part);
      if (populated != part.size()) {
        return failure(MemoryFault{MemoryFault::Reason::kNotPopulated, part.start() + populated});
      }
    }
    if (area->audit == AuditPolicy::kAll) [[unlikely]] {
      audit_.record(attempt.actor, part, attempt.access, AuditVerdict::kAllowed);
    }
    spans.append(pool_.bytes(area->host_range(part)));
    rest = without_first(rest, part.size());
  }
  return spans;
}

Result<GuestPhysAddr, SpaceError> AddressSpace::find_free(GuestPhysAddr hint, std::uint64_t size,
                                                          GuestPhysRange limit,
                                                          std::uint64_t alignment) const {
  if (size == 0) {
    return failure(error(Reason::kEmpty, limit));
  }
  if (size % kPageSize != 0 || !is_power_of_two(alignment) || alignment < kPageSize) {
    return failure(error(Reason::kMisaligned, limit));
  }
  const std::optional<GuestPhysRange> within = limit.intersection(options_.range);
  if (within) {
    if (within->contains(hint)) {
      const GuestPhysRange from_hint =
          GuestPhysRange::of(hint, within->last().offset_from(hint) + 1);
      if (const auto found = first_hole(from_hint, {size, alignment})) {
        return *found;
      }
    }
    if (const auto found = first_hole(*within, {size, alignment})) {
      return *found;
    }
  }
  return failure(error(Reason::kNoRoom, limit));
}

std::optional<GuestPhysAddr> AddressSpace::first_hole(GuestPhysRange within,
                                                      const Hole& wanted) const {
  const Guard guard = epochs_.enter();
  std::optional<GuestPhysAddr> candidate = within.start().aligned_up(wanted.alignment);
  while (candidate) {
    const auto hole = GuestPhysRange::make(*candidate, wanted.size);
    if (!hole || !within.contains(*hole)) {
      return std::nullopt;
    }
    const Area* const next = areas_.find_from(guard, *candidate);
    if (next == nullptr || !next->range.overlaps(*hole)) {
      return candidate;
    }
    candidate = (next->range.last() + 1).aligned_up(wanted.alignment);
  }
  return std::nullopt;
}

}  // namespace nestling
