// FakeSlotTable: KVM's memory slots with KVM's rules, for tests without KVM.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "vmm/memory/slot_table.h"

namespace nestling::testing {

/// Refuses what KVM refuses: overlaps, numbers in use or beyond the limit, removal of what is not
/// there, unaligned or empty slots. Can be made to fail at any call.
class FakeSlotTable final : public SlotTable {
 public:
  explicit FakeSlotTable(std::uint32_t limit = 512) : limit_(limit) {}

  Result<void> add_slot(const MemorySlot& slot) override {
    const std::lock_guard lock(mutex_);
    if (fails_now()) {
      return failure(make_error(ErrorKind::kHostRefused, "no memory for a slot"));
    }
    const bool overlaps = std::any_of(slots_.begin(), slots_.end(), [&](const auto& each) {
      return each.second.guest.overlaps(slot.guest);
    });
    if (slot.number >= limit_ || slots_.contains(slot.number) || overlaps ||
        slot.guest.is_empty() || !slot.guest.start().is_aligned(4096) ||
        slot.guest.size() % 4096 != 0 || slot.host.size() != slot.guest.size()) {
      ++broken_rules;
      return failure(make_error(ErrorKind::kHostRefused, "slot {} breaks a rule", slot.number));
    }
    slots_.emplace(slot.number, slot);
    return {};
  }

  Result<void> remove_slot(std::uint32_t number) override {
    const std::lock_guard lock(mutex_);
    if (fails_now()) {
      return failure(make_error(ErrorKind::kHostRefused, "no memory to remove a slot"));
    }
    if (slots_.erase(number) == 0) {
      ++broken_rules;
      return failure(make_error(ErrorKind::kHostRefused, "there is no slot {}", number));
    }
    return {};
  }

  [[nodiscard]] std::uint32_t slot_limit() const override { return limit_; }

  /// What a guest that touches `gpa` meets.
  [[nodiscard]] std::optional<MemorySlot> at(GuestPhysAddr gpa) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [number, slot] : slots_) {
      if (slot.guest.contains(gpa)) {
        return slot;
      }
    }
    return std::nullopt;
  }
  [[nodiscard]] std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return slots_.size();
  }
  /// Makes one call fail: the one that comes after `calls` more.
  void fail_after(std::uint64_t calls) {
    const std::lock_guard lock(mutex_);
    calls_until_failure_ = calls;
  }
  void never_fail() {
    const std::lock_guard lock(mutex_);
    calls_until_failure_.reset();
  }

  int broken_rules = 0;

 private:
  bool fails_now() {
    if (!calls_until_failure_) {
      return false;
    }
    if (*calls_until_failure_ == 0) {
      calls_until_failure_.reset();
      return true;
    }
    --*calls_until_failure_;
    return false;
  }

  const std::uint32_t limit_;
  mutable std::mutex mutex_;
  std::map<std::uint32_t, MemorySlot> slots_;
  std::optional<std::uint64_t> calls_until_failure_;
};

}  // namespace nestling::testing
