// Range: the one type for "so many bytes from here", which by construction never wraps.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "addrspace/address.h"
#include "base/check.h"

namespace nestling {

/// Bytes [start, start + size) of one address space. May be empty; may end exactly at the top of
/// the space (so there is no end() to compare with: ask `last()` of a non-empty range instead).
///
///      start            last
///        |----- size -----|
template <typename AddressType>
class Range {
 public:
  using Raw = typename AddressType::Raw;

  /// The empty range at 0.
  constexpr Range() = default;

  /// Nothing when start + size passes the top of the space.
  [[nodiscard]] static constexpr std::optional<Range> make(AddressType start, std::uint64_t size) {
    const std::uint64_t room = std::numeric_limits<Raw>::max() - start.value();
    if (size != 0 && size - 1 > room) {
      return std::nullopt;
    }
    return Range(start, size);
  }

  /// For constants and numbers already validated: aborts where make() gives nothing.
  [[nodiscard]] static constexpr Range of(AddressType start, std::uint64_t size) {
    const std::optional<Range> range = make(start, size);
    check(range.has_value(), "range wraps");
    return *range;
  }

  [[nodiscard]] constexpr AddressType start() const { return start_; }
  /// In bytes.
  [[nodiscard]] constexpr std::uint64_t size() const { return size_; }
  [[nodiscard]] constexpr bool is_empty() const { return size_ == 0; }

  /// The last byte; the range must not be empty.
  [[nodiscard]] constexpr AddressType last() const {
    check(size_ != 0, "last() of an empty range");
    return AddressType(static_cast<Raw>(start_.value() + (size_ - 1)));
  }

  /// The first address behind the range, or nothing when the range reaches the top of the space.
  [[nodiscard]] constexpr std::optional<AddressType> end() const {
    if (size_ > std::numeric_limits<Raw>::max()) {
      return std::nullopt;
    }
    return start_.plus(static_cast<Raw>(size_));
  }

  [[nodiscard]] constexpr bool contains(AddressType address) const {
    return address >= start_ && size_ != 0 && address <= last();
  }

  /// True when every byte of `other` is in this range. An empty range is contained where it starts
  /// inside this range or right behind it.
  [[nodiscard]] constexpr bool contains(const Range& other) const {
    if (other.is_empty()) {
      return contains(other.start_) || end() == other.start_;
    }
    return contains(other.start_) && contains(other.last());
  }

  /// True when at least one byte is in both.
  [[nodiscard]] constexpr bool overlaps(const Range& other) const {
    return !is_empty() && !other.is_empty() && start_ <= other.last() && other.start_ <= last();
  }

  /// The bytes in both, or nothing when there are none.
  [[nodiscard]] constexpr std::optional<Range> intersection(const Range& other) const {
    if (!overlaps(other)) {
      return std::nullopt;
    }
    const AddressType first = std::max(start_, other.start_);
    const AddressType final = std::min(last(), other.last());
    return Range(first, std::uint64_t{final.offset_from(first)} + 1);
  }

  friend constexpr bool operator==(const Range&, const Range&) = default;

 private:
  constexpr Range(AddressType start, std::uint64_t size) : start_(start), size_(size) {}

  AddressType start_;
  std::uint64_t size_ = 0;
};

using GuestPhysRange = Range<GuestPhysAddr>;
using GuestVirtRange = Range<GuestVirtAddr>;
using HostPhysRange = Range<HostPhysAddr>;
using PortRange = Range<Port>;

}  // namespace nestling
