// What an address space says of itself: statistics, and whether its parts agree.
#include <fmt/core.h>

#include "addrspace/address_space.h"

namespace nestling {

SpaceStatistics AddressSpace::statistics() {
  const std::lock_guard lock(writer_);
  const Guard guard = epochs_.enter();
  SpaceStatistics result;
  areas_.visit(guard, options_.range, [&](const Area& area) {
    std::uint64_t resident = 0;
    table_->visit(guard, area.range, [&](const MappedRun& run) {
      result.resident[run.page_size] += run.guest.size();
      resident += run.guest.size();
    });
    // What a split left uncounted is known now.
    areas_.set_resident(area.range.start(), resident);
    result.resident_alloc += area.backend == Backend::kAlloc ? resident : 0;
    result.mapped += area.range.size();
  });
  const TableStatistics table = table_->statistics();
  result.areas = areas_.size();
  result.area_nodes = areas_.live_node_count();
  result.table_bytes = frames_.bytes();
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    result.faults.at(i) = faults_.at(i).load(std::memory_order_relaxed);
  }
  result.page_splits = table.splits;
  result.page_joins = table.joins;
  result.area_splits = area_splits_;
  result.area_joins = area_joins_;
  result.violations = audit_.violations();
  return result;
}

std::optional<std::string> AddressSpace::defect() const {
  const std::lock_guard lock(writer_);
  const Guard guard = epochs_.enter();
  if (auto found = areas_.defect()) {
    return found;
  }
  if (const auto found = table_->defect()) {
    return fmt::format("table entry {:#x} of level {} at {:#x}: {}", found->raw, found->level,
                       found->start.value(), found->what);
  }
  if (auto found = defect_of_areas(guard)) {
    return found;
  }
  return defect_of_pages(guard);
}

/// Areas lie in the space, their frames in the pool, and their counts are right.
std::optional<std::string> AddressSpace::defect_of_areas(const Guard& guard) const {
  std::optional<std::string> found;
  areas_.visit(guard, options_.range, [&](const Area& area) {
    const std::uint64_t start = area.range.start().value();
    std::uint64_t resident = 0;
    table_->visit(guard, area.range, [&](const MappedRun& run) { resident += run.guest.size(); });
    const std::uint64_t counted = area.resident.get();
    if (!options_.range.contains(area.range) || !area.range.start().is_aligned(kPageSize) ||
        area.range.size() % kPageSize != 0) {
      found = fmt::format("the area at {:#x} is misaligned or outside the space", start);
    } else if (area.backend == Backend::kAlloc && !pool_.is_reserved(area.host_range(area.range))) {
      found = fmt::format("the area at {:#x} stands on frames that are not reserved", start);
    } else if (counted != Area::kNotCounted && counted != resident) {
      found = fmt::format("the area at {:#x} has {:#x} bytes resident, and counts {:#x}", start,
                          resident, counted);
    } else if (area.backend == Backend::kLinear && resident != area.range.size()) {
      found = fmt::format("the linear area at {:#x} has a hole", start);
    }
  });
  return found;
}

/// Every page belongs to an area, with its frame, its rights and its type.
std::optional<std::string> AddressSpace::defect_of_pages(const Guard& guard) const {
  std::optional<std::string> found;
  const GuestPhysRange all = GuestPhysRange::of(GuestPhysAddr(0), 1ULL << table_->gpa_bits());
  table_->visit(guard, all, [&](const MappedRun& run) {
    // A run may pass from one area to the next, where their frames adjoin as well.
    std::uint64_t covered = 0;
    areas_.visit(guard, run.guest, [&](const Area& area) {
      const GuestPhysRange part = *area.range.intersection(run.guest);
      covered += part.size();
      const std::uint64_t offset = part.start().offset_from(run.guest.start());
      if (run.host + offset != area.host_of(part.start()) || run.access != area.access ||
          run.type != table_->effective_type(area.type)) {
        found = fmt::format("the page at {:#x} is not as its area says", part.start().value());
      }
    });
    if (covered != run.guest.size()) {
      found = fmt::format("a page at {:#x} belongs to no area", run.guest.start().value());
    }
  });
  return found;
}

}  // namespace nestling
