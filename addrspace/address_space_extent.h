// What the address space's own source files share: extents that undo themselves, changes as told.
#pragma once

#include "addrspace/address_space.h"

namespace nestling {

/// An extent of the pool that goes back unless it is kept.
class AddressSpace::Extent {
 public:
  Extent(RamPool& pool, HostPhysRange range) : pool_(&pool), range_(range) {}
  Extent(const Extent&) = delete;
  Extent& operator=(const Extent&) = delete;
  ~Extent() {
    if (pool_ == nullptr) {
      return;
    }
    if (is_committed_) {
      pool_->uncommit(range_);
    }
    pool_->release(range_);
  }

  [[nodiscard]] Result<void, PoolError> commit() {
    auto committed = pool_->commit(range_);
    is_committed_ = committed.has_value();
    return committed;
  }
  void keep() { pool_ = nullptr; }

 private:
  RamPool* pool_;
  HostPhysRange range_;
  bool is_committed_ = false;
};

/// A change that may need others to stand still: tells the observers so before the writer's lock is
/// taken, and when it is free again.
class AddressSpace::ChangeScope {
 public:
  ChangeScope(AddressSpace& space, ViewChange::Kind kind) : kind_(kind) {
    {
      const std::lock_guard lock(space.writer_);
      for (ViewObserver* const observer : space.observers_) {
        observers_.at(count_++) = observer;
      }
    }
    for (std::size_t i = 0; i < count_; ++i) {
      observers_.at(i)->entering(kind_);
    }
  }
  ChangeScope(const ChangeScope&) = delete;
  ChangeScope& operator=(const ChangeScope&) = delete;
  ~ChangeScope() {
    for (std::size_t i = count_; i-- != 0;) {
      observers_.at(i)->leaving(kind_);
    }
  }

 private:
  ViewChange::Kind kind_;
  std::array<ViewObserver*, kMostObservers> observers_{};
  std::size_t count_ = 0;
};

/// What observers are told of `part` of `area`.
[[nodiscard]] inline ViewChange change_of(ViewChange::Kind kind, const Area& area,
                                          GuestPhysRange part) {
  return {.kind = kind,
          .range = part,
          .host = area.host_of(part.start()),
          .access = area.access,
          .previous_access = area.access,
          .type = area.type,
          .backend = area.backend,
          .area = *area.name};
}

}  // namespace nestling
