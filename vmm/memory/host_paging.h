// HostPaging: gives back what the host paged in for the guest behind the view's back.
#pragma once

#include "addrspace/ram_pool.h"
#include "addrspace/view_observer.h"

namespace nestling {

/// For the `host` path, where a guest may have touched more than the view knows of: what is
/// unmapped or discarded goes back to the host whole, so that its next user finds zeros.
class HostPaging final : public ViewObserver {
 public:
  /// `pool` must outlive this.
  explicit HostPaging(const RamPool& pool) : pool_(pool) {}

  void changed(const ViewChange& change) override;

 private:
  const RamPool& pool_;
};

}  // namespace nestling
