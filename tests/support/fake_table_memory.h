// FakeTableMemory: guest page tables in an array that starts at guest-physical 0, with hooks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "addrspace/guest_walk.h"

namespace nestling {

/// Tables for walks under test. Everything from `size` bytes on is a hole.
class FakeTableMemory final : public TableMemory {
 public:
  explicit FakeTableMemory(std::uint64_t size) : bytes_(size) {}

  void set64(std::uint64_t gpa, std::uint64_t value) {
    std::memcpy(&bytes_.at(gpa), &value, sizeof value);
  }
  void set32(std::uint64_t gpa, std::uint32_t value) {
    std::memcpy(&bytes_.at(gpa), &value, sizeof value);
  }
  [[nodiscard]] std::uint64_t get(EntryLocation entry) const {
    std::uint64_t value = 0;
    std::memcpy(&value, &bytes_.at(entry.address.value()), entry.size);
    return value;
  }
  [[nodiscard]] std::uint64_t get64(std::uint64_t gpa) const {
    return get({GuestPhysAddr(gpa), 8});
  }
  [[nodiscard]] std::uint64_t get32(std::uint64_t gpa) const {
    return get({GuestPhysAddr(gpa), 4});
  }

  [[nodiscard]] std::vector<std::byte>& bytes() { return bytes_; }

  /// Makes every exchange fail from now on, as with read-only memory.
  void refuse_writes() { read_only_ = true; }
  /// Called before each exchange: what another processor does in that moment.
  void before_exchange(std::function<void()> interference) {
    interference_ = std::move(interference);
  }
  [[nodiscard]] int exchanges() const { return exchanges_; }

  [[nodiscard]] Result<std::uint64_t, MemoryFault> load(EntryLocation entry) override {
    if (!holds(entry)) {
      return failure(MemoryFault{MemoryFault::Reason::kUnmapped, entry.address});
    }
    return get(entry);
  }

  [[nodiscard]] Result<Swap, MemoryFault> exchange(EntryLocation entry,
                                                   EntryChange change) override {
    if (!holds(entry)) {
      return failure(MemoryFault{MemoryFault::Reason::kUnmapped, entry.address});
    }
    if (read_only_) {
      return failure(MemoryFault{MemoryFault::Reason::kDenied, entry.address});
    }
    ++exchanges_;
    if (interference_) {
      interference_();
    }
    if (get(entry) != change.expected) {
      return Swap::kEntryChanged;
    }
    std::memcpy(&bytes_.at(entry.address.value()), &change.desired, entry.size);
    return Swap::kDone;
  }

 private:
  [[nodiscard]] bool holds(EntryLocation entry) const {
    return entry.address.value() <= bytes_.size() &&
           entry.size <= bytes_.size() - entry.address.value();
  }

  std::vector<std::byte> bytes_;
  bool read_only_ = false;
  std::function<void()> interference_;
  int exchanges_ = 0;
};

}  // namespace nestling
