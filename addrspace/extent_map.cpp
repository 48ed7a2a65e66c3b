// Best fit over two indices of the same free extents.
#include "addrspace/extent_map.h"

#include <iterator>
#include <utility>

namespace nestling {

namespace {

/// How many extents that are long enough, but perhaps not once aligned, are looked at before one
/// is taken that is long enough for any alignment.
constexpr std::size_t kCandidates = 8;

HostPhysRange extent_of(std::uint64_t start, std::uint64_t size) {
  return HostPhysRange::of(HostPhysAddr(start), size);
}

/// Bytes from the start of `extent` to behind its last.
std::uint64_t behind(HostPhysRange extent) { return extent.start().value() + extent.size(); }

}  // namespace

ExtentMap::ExtentMap(HostPhysRange all) : all_(all) {
  if (!all.is_empty()) {
    insert(all);
    free_bytes_ = all.size();
  }
}

/// Where the bytes asked for go in the free `extent`, or nothing if they do not fit.
std::optional<std::uint64_t> ExtentMap::placed(HostPhysRange extent, const Demand& demand) {
  if (extent.size() < demand.size) {
    return std::nullopt;
  }
  const Placement& placement = demand.placement;
  const std::uint64_t start = extent.start().value();
  const std::uint64_t mask = placement.modulus - 1;
  const std::uint64_t slack = extent.size() - demand.size;
  const bool is_front = placement.end == Placement::End::kFront;
  const std::uint64_t skip = is_front ? (placement.remainder - start) & mask
                                      : (start + slack - placement.remainder) & mask;
  if (skip > slack) {
    return std::nullopt;
  }
  return is_front ? start + skip : start + slack - skip;
}

std::optional<HostPhysRange> ExtentMap::take(std::uint64_t size, Placement placement) {
  check(size != 0 && is_power_of_two(placement.modulus), "extent asked for");
  const Demand demand{.size = size, .placement = placement};
  if (const auto taken = take_first_fitting(size, demand, kCandidates)) {
    return taken;
  }
  const std::optional<std::uint64_t> enough = checked_add(size, placement.modulus - 1);
  if (enough) {
    if (const auto taken = take_first_fitting(*enough, demand, 1)) {
      return taken;
    }
  }
  // Nearly nothing is left: look at every extent that is long enough.
  return take_first_fitting(size, demand, by_size_.size());
}

std::optional<HostPhysRange> ExtentMap::take_first_fitting(Size at_least, const Demand& demand,
                                                           std::size_t candidates) {
  auto candidate = by_size_.lower_bound({at_least, 0});
  for (; candidates != 0 && candidate != by_size_.end(); --candidates, ++candidate) {
    const auto& [size, start] = *candidate;
    if (const auto taken = cut(extent_of(start, size), demand)) {
      return taken;
    }
  }
  return std::nullopt;
}

std::optional<HostPhysRange> ExtentMap::cut(HostPhysRange extent, const Demand& demand) {
  const std::optional<std::uint64_t> first = placed(extent, demand);
  if (!first) {
    return std::nullopt;
  }
  const Size before = *first - extent.start().value();
  const Size after = extent.size() - before - demand.size;
  if (before == 0 && after == 0) {
    erase(extent);
  } else if (before == 0) {
    resize({.from = extent, .to = extent_of(*first + demand.size, after)});
  } else {
    resize({.from = extent, .to = extent_of(extent.start().value(), before)});
    if (after != 0) {
      insert(extent_of(*first + demand.size, after));
    }
  }
  free_bytes_ -= demand.size;
  return extent_of(*first, demand.size);
}

void ExtentMap::give_back(HostPhysRange range) {
  check(is_taken(range), "extent given back twice");
  free_bytes_ += range.size();
  const auto next = by_start_.upper_bound(range.start().value());
  std::optional<HostPhysRange> following;
  if (next != by_start_.end() && next->first == behind(range)) {
    following = extent_of(next->first, next->second);
  }
  std::optional<HostPhysRange> previous;
  if (next != by_start_.begin()) {
    const auto& [start, size] = *std::prev(next);
    if (start + size == range.start().value()) {
      previous = extent_of(start, size);
    }
  }
  const std::uint64_t first = previous ? previous->start().value() : range.start().value();
  const std::uint64_t end = following ? behind(*following) : behind(range);
  const HostPhysRange joined = extent_of(first, end - first);
  if (previous) {
    if (following) {
      erase(*following);
    }
    resize({.from = *previous, .to = joined});
  } else if (following) {
    resize({.from = *following, .to = joined});
  } else {
    insert(joined);
  }
}

bool ExtentMap::is_taken(HostPhysRange range) const {
  if (range.is_empty() || !all_.contains(range)) {
    return false;
  }
  const auto next = by_start_.lower_bound(range.start().value());
  if (next != by_start_.end() && next->first <= range.last().value()) {
    return false;
  }
  return next == by_start_.begin() ||
         std::prev(next)->first + std::prev(next)->second <= range.start().value();
}

/// The nodes move instead of dying: no allocation on the common paths.
void ExtentMap::resize(const Change& change) {
  const Start old_start = change.from.start().value();
  const Start new_start = change.to.start().value();
  auto size_node = by_size_.extract({change.from.size(), old_start});
  size_node.value() = {change.to.size(), new_start};
  by_size_.insert(std::move(size_node));
  if (old_start == new_start) {
    by_start_.find(old_start)->second = change.to.size();
    return;
  }
  auto start_node = by_start_.extract(old_start);
  start_node.key() = new_start;
  start_node.mapped() = change.to.size();
  by_start_.insert(std::move(start_node));
}

void ExtentMap::insert(HostPhysRange extent) {
  by_start_.emplace(extent.start().value(), extent.size());
  by_size_.emplace(extent.size(), extent.start().value());
}

void ExtentMap::erase(HostPhysRange extent) {
  by_start_.erase(extent.start().value());
  by_size_.erase({extent.size(), extent.start().value()});
}

}  // namespace nestling
