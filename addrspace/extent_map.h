// ExtentMap: which parts of a span of pool offsets are free, found by size and by place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "addrspace/range.h"

namespace nestling {

/// Where an extent may start: at `remainder` modulo `modulus` (a power of two), in bytes. A
/// remainder that is a guest address makes host and guest addresses congruent, as huge pages need.
struct Placement {
  /// Which end of a free extent is cut off: large extents come from the front and small ones from
  /// the back, so that single frames do not break up the room for huge pages.
  enum class End : std::uint8_t { kFront, kBack };

  std::uint64_t modulus = kPageSize;
  std::uint64_t remainder = 0;
  End end = End::kFront;
};

/// The free extents of [start, start + size), never two adjoining ones. O(log n). Not thread-safe.
///
///     |##used##|---free---|##used##|-free-|
class ExtentMap {
 public:
  /// Everything in `all` is free.
  explicit ExtentMap(HostPhysRange all);

  /// Takes `size` bytes (not 0) out of the smallest free extent that will do, or of one of a few
  /// that nearly are; nothing when no free extent is long enough.
  [[nodiscard]] std::optional<HostPhysRange> take(std::uint64_t size, Placement placement);

  /// Makes `range`, of which no byte is free, free again, joined with its free neighbours.
  void give_back(HostPhysRange range);

  /// True when no byte of `range` is free and all of it belongs to this map.
  [[nodiscard]] bool is_taken(HostPhysRange range) const;
  [[nodiscard]] HostPhysRange all() const { return all_; }
  [[nodiscard]] std::uint64_t free_bytes() const { return free_bytes_; }

 private:
  using Start = std::uint64_t;
  using Size = std::uint64_t;

  struct Demand {
    Size size = 0;
    Placement placement;
  };
  struct Change {
    HostPhysRange from;
    HostPhysRange to;
  };

  [[nodiscard]] static std::optional<std::uint64_t> placed(HostPhysRange extent,
                                                           const Demand& demand);
  [[nodiscard]] std::optional<HostPhysRange> take_first_fitting(Size at_least, const Demand& demand,
                                                                std::size_t candidates);
  [[nodiscard]] std::optional<HostPhysRange> cut(HostPhysRange extent, const Demand& demand);
  void resize(const Change& change);
  void insert(HostPhysRange extent);
  void erase(HostPhysRange extent);

  HostPhysRange all_;
  std::map<Start, Size> by_start_;
  std::set<std::pair<Size, Start>> by_size_;
  std::uint64_t free_bytes_ = 0;
};

}  // namespace nestling
