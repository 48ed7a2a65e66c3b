// ExitRecord: one exit boiled down to what reports and traces say about it; and the last few kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vmm/exit.h"

namespace nestling {

/// What an exit was, free of pointers into the vCPU.
struct ExitRecord {
  /// Index into Exit's alternatives.
  std::uint8_t kind = 0;
  Direction direction = Direction::kRead;
  /// Bytes moved; 0 for an exit that is not an access.
  std::uint32_t size = 0;
  /// Port or guest-physical address; meaningful for accesses and memory faults.
  std::uint64_t address = 0;
  /// For accesses the first 8 bytes at most, little-endian; else the number KVM gave with the exit
  /// (suberror, hardware reason, event type, flags).
  std::uint64_t value = 0;

  friend bool operator==(const ExitRecord&, const ExitRecord&) = default;
};

/// The record of `exit`. Call it after the exit was handled, when the data of reads is there.
[[nodiscard]] ExitRecord summarize(const Exit& exit);

/// "port write 1 byte at 0x3f8: 0x41" or the like.
[[nodiscard]] std::string describe(const ExitRecord& record);

/// "read" or "write".
[[nodiscard]] std::string_view name(Direction direction);

/// The last exits of one vCPU, at a cost of a few stores each. One thread at a time.
class RecentExits {
 public:
  static constexpr std::size_t kCapacity = 16;

  void record(const ExitRecord& exit) {
    records_[next_ % kCapacity] = exit;
    ++next_;
  }

  /// Oldest first, at most kCapacity.
  [[nodiscard]] std::vector<ExitRecord> list() const;

  /// How many were recorded in all.
  [[nodiscard]] std::uint64_t total() const { return next_; }

 private:
  std::array<ExitRecord, kCapacity> records_{};
  std::uint64_t next_ = 0;
};

}  // namespace nestling
