// RecordingEntryStore: page-table entries as ever, and a call after every single store.
#pragma once

#include <functional>
#include <span>

#include "addrspace/entry_store.h"

namespace nestling::testing {

/// Atomic entries that tell a watcher after every store, be it public or private, so that a test
/// can look at each instant of an update. The watcher is called when it is set.
class RecordingEntryStore {
 public:
  using Watcher = std::function<void()>;

  /// `watcher` must outlive the store.
  explicit RecordingEntryStore(const Watcher& watcher) : watcher_(&watcher) {}

  [[nodiscard]] static RawEntry load(RawEntry& entry) { return AtomicEntryStore::load(entry); }

  void store(RawEntry& entry, RawEntry value) const {
    AtomicEntryStore::store(entry, value);
    tell();
  }

  void fill_private(std::span<RawEntry> entries, RawEntry first, RawEntry step) const {
    AtomicEntryStore::fill_private(entries, first, step);
    tell();
  }

 private:
  void tell() const {
    if (*watcher_) {
      (*watcher_)();
    }
  }

  const Watcher* watcher_;
};

}  // namespace nestling::testing
