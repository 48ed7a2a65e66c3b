// HeapTableFrames: table frames from plain memory, with a limit, and with every misuse noticed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "addrspace/host_mapping.h"
#include "addrspace/table_frames.h"
#include "base/check.h"

namespace nestling::testing {

/// Up to `capacity` bytes of tables. Frames are filled with kPoison when they are handed out and
/// when they come back, so that whoever reads one too late reads nonsense.
class HeapTableFrames final : public TableFrames {
 public:
  static constexpr std::uint8_t kPoison = 0xdb;

  explicit HeapTableFrames(std::uint64_t capacity = 64ULL << 20)
      : memory_(std::move(HostMapping::anonymous(capacity, kLargest).value())) {
    // Address 0 stays unused: a table there is most likely somebody's mistake.
    for (std::uint64_t at = kLargest; at < capacity; at += kLargest) {
      free_.emplace(at, kLargest);
    }
  }

  /// Allocations succeed while at most `bytes` are in use.
  void set_limit(std::uint64_t bytes) { limit_ = bytes; }
  [[nodiscard]] std::uint64_t bytes_in_use() const { return in_use_; }

  [[nodiscard]] std::optional<HostPhysRange> allocate(std::uint64_t size) override {
    check(is_power_of_two(size) && size >= kPageSize && size <= kLargest, "size of table frames");
    if (in_use_ + size > limit_) {
      return std::nullopt;
    }
    for (auto each = free_.begin(); each != free_.end(); ++each) {
      const std::uint64_t start = (each->first + size - 1) & ~(size - 1);
      const std::uint64_t end = each->first + each->second;
      if (start + size > end) {
        continue;
      }
      const std::uint64_t before = start - each->first;
      if (before != 0) {
        each->second = before;
      } else {
        free_.erase(each);
      }
      if (start + size != end) {
        free_.emplace(start + size, end - start - size);
      }
      in_use_ += size;
      used_.emplace(start, size);
      const auto range = HostPhysRange::of(HostPhysAddr(start), size);
      poison(range);
      return range;
    }
    return std::nullopt;
  }

  void free(HostPhysRange frames) override {
    const auto found = used_.find(frames.start().value());
    check(found != used_.end() && found->second == frames.size(), "frames that were not allocated");
    used_.erase(found);
    in_use_ -= frames.size();
    poison(frames);
    free_.emplace(frames.start().value(), frames.size());
  }

  [[nodiscard]] std::byte* window() const override { return memory_.bytes().data(); }

 private:
  static constexpr std::uint64_t kLargest = 64ULL << 10;

  void poison(HostPhysRange range) const {
    std::memset(window() + range.start().value(), kPoison, range.size());
  }

  HostMapping memory_;
  std::map<std::uint64_t, std::uint64_t> free_;  // start and size
  std::map<std::uint64_t, std::uint64_t> used_;
  std::uint64_t in_use_ = 0;
  std::uint64_t limit_ = ~0ULL;
};

}  // namespace nestling::testing
