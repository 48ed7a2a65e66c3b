// Best fit over two indices of the same free extents.
#include "addrspace/extent_map.h"

namespace nestling {

namespace {

/// How many extents that are long enough, but perhaps not once aligned, are looked at before one
/// is taken that is long enough for any alignment.
constexpr std::size_t kCandidates = 8;

/// Where `wanted` bytes go in the `size` free bytes from `start` on, or nothing if they do not fit.
std::optional<std::uint64_t> placed(std::uint64_t start, std::uint64_t size, std::uint64_t wanted,
                                    Placement placement) {
  if (size < wanted) {
    return std::nullopt;
  }
  const std::uint64_t mask = placement.modulus - 1;
  const std::uint64_t slack = size - wanted;
  const std::uint64_t skip = placement.end == Placement::End::kFront
                                 ? (placement.remainder - start) & mask
                                 : (start + slack - placement.remainder) & mask;
  if (skip > slack) {
    return std::nullopt;
  }
  return placement.end == Placement::End::kFront ? start + skip : start + slack - skip;
}

}  // namespace

ExtentMap::ExtentMap(HostPhysRange all) : all_(all) {
  if (!all.is_empty()) {
    insert(all.start().value(), all.size());
    free_bytes_ = all.size();
  }
}

std::optional<HostPhysRange> ExtentMap::take(std::uint64_t size, Placement placement) {
  check(size != 0 && is_power_of_two(placement.modulus), "extent asked for");
  if (const auto taken = take_first_fitting(size, size, placement, kCandidates)) {
    return taken;
  }
  const std::optional<std::uint64_t> enough = checked_add(size, placement.modulus - 1);
  if (enough) {
    if (const auto taken = take_first_fitting(*enough, size, placement, 1)) {
      return taken;
    }
  }
  // Nearly nothing is left: look at every extent that is long enough.
  return take_first_fitting(size, size, placement, by_size_.size());
}

std::optional<HostPhysRange> ExtentMap::take_first_fitting(Size at_least, Size wanted,
                                                           Placement placement,
                                                           std::size_t candidates) {
  auto candidate = by_size_.lower_bound({at_least, 0});
  for (; candidates != 0 && candidate != by_size_.end(); --candidates, ++candidate) {
    const auto [size, start] = *candidate;
    if (const auto taken = cut(start, size, wanted, placement)) {
      return taken;
    }
  }
  return std::nullopt;
}

std::optional<HostPhysRange> ExtentMap::cut(Start start, Size size, Size wanted,
                                            Placement placement) {
  const std::optional<std::uint64_t> first = placed(start, size, wanted, placement);
  if (!first) {
    return std::nullopt;
  }
  const Size before = *first - start;
  const Size after = size - before - wanted;
  if (before == 0 && after == 0) {
    erase(start, size);
  } else if (before == 0) {
    resize(start, size, start + wanted, after);
  } else {
    resize(start, size, start, before);
    if (after != 0) {
      insert(*first + wanted, after);
    }
  }
  free_bytes_ -= wanted;
  return HostPhysRange::of(HostPhysAddr(*first), wanted);
}

void ExtentMap::give_back(HostPhysRange range) {
  check(is_taken(range), "extent given back twice");
  Start start = range.start().value();
  Size size = range.size();
  free_bytes_ += size;
  const auto next = by_start_.lower_bound(start);
  const bool joins_next = next != by_start_.end() && next->first == start + size;
  const bool joins_previous =
      next != by_start_.begin() && std::prev(next)->first + std::prev(next)->second == start;
  if (joins_previous) {
    const auto [previous_start, previous_size] = *std::prev(next);
    if (joins_next) {
      size += next->second;
      erase(next->first, next->second);
    }
    resize(previous_start, previous_size, previous_start, previous_size + size);
  } else if (joins_next) {
    resize(next->first, next->second, start, next->second + size);
  } else {
    insert(start, size);
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

void ExtentMap::resize(Start old_start, Size old_size, Start new_start, Size new_size) {
  // The nodes move instead of dying: no allocation on the common paths.
  auto size_node = by_size_.extract({old_size, old_start});
  size_node.value() = {new_size, new_start};
  by_size_.insert(std::move(size_node));
  if (old_start == new_start) {
    by_start_.find(old_start)->second = new_size;
    return;
  }
  auto start_node = by_start_.extract(old_start);
  start_node.key() = new_start;
  start_node.mapped() = new_size;
  by_start_.insert(std::move(start_node));
}

void ExtentMap::insert(Start start, Size size) {
  by_start_.emplace(start, size);
  by_size_.emplace(size, start);
}

void ExtentMap::erase(Start start, Size size) {
  by_start_.erase(start);
  by_size_.erase({size, start});
}

}  // namespace nestling
