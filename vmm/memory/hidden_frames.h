// HiddenFrames: keeps what is not populated out of everybody's reach, so that KVM names it.
#pragma once

#include <span>

#include "addrspace/ram_pool.h"
#include "addrspace/view_observer.h"

namespace nestling {

/// For the `fault` path: bytes of allocating areas are mapped without any rights in this process
/// until they are populated. A vCPU that touches one comes back with KVM_EXIT_MEMORY_FAULT where
/// the host's KVM gives it.
class HiddenFrames final : public ViewObserver {
 public:
  /// `pool` must outlive this.
  explicit HiddenFrames(const RamPool& pool) : pool_(pool) {}

  [[nodiscard]] Result<void> prepare(std::span<const ViewChange> changes) override;
  void abandon(std::span<const ViewChange> changes) override;
  void changed(const ViewChange& /*change*/) override {}

 private:
  enum class Sight : std::uint8_t { kHidden, kShown };

  [[nodiscard]] Result<void> set(const ViewChange& change, Sight sight);

  const RamPool& pool_;
};

}  // namespace nestling
