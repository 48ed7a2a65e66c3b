// FramePins: keeps frames that are shown twice from being given back under one of their areas.
#pragma once

#include <vector>

#include "addrspace/view_observer.h"

namespace nestling {

/// A linear area shows frames that an allocating one owns. While it does, they can be neither
/// discarded nor unmapped there: the guest would go on using, through the alias, memory that is the
/// next area's.
class FramePins final : public ViewObserver {
 public:
  [[nodiscard]] Result<void> permits(const ViewChange& change) override;
  void changed(const ViewChange& change) override;

 private:
  struct Pin {
    HostPhysRange frames;
    GuestPhysRange alias;
  };

  std::vector<Pin> pins_;  // guarded by the address space's writer lock
};

}  // namespace nestling
