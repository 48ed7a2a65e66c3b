// AtomicEntryStore: how a page table's entries are read and written; tests bring one that records.
#pragma once

#include <algorithm>
#include <atomic>
#include <span>

#include "addrspace/stage2_format.h"

namespace nestling {

/// Entries that readers can reach are loaded and stored whole and in order.
class AtomicEntryStore {
 public:
  [[nodiscard]] static RawEntry load(RawEntry& entry) {
    return std::atomic_ref<RawEntry>(entry).load(std::memory_order_acquire);
  }
  /// Publishes `value`, and with it the table it points to.
  static void store(RawEntry& entry, RawEntry value) {
    std::atomic_ref<RawEntry>(entry).store(value, std::memory_order_release);
  }
  /// Fills `entries`, of a table that no reader can reach: `first`, `first + step`, …
  static void fill_private(std::span<RawEntry> entries, RawEntry first, RawEntry step) {
    for (RawEntry& entry : entries) {
      entry = first;
      first += step;
    }
  }
};

}  // namespace nestling
