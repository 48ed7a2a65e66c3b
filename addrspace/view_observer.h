// ViewObserver: who is told of every change of the guest-physical view, in order.
#pragma once

#include <cstdint>
#include <string_view>

#include "addrspace/area.h"
#include "base/result.h"

namespace nestling {

/// One change of one area, or of a part of it.
struct ViewChange {
  enum class Kind : std::uint8_t {
    kMap,       ///< a new area
    kUnmap,     ///< part of an area, or all of it, is gone
    kProtect,   ///< part of an area has other rights
    kPopulate,  ///< frames came into being
    kDiscard,   ///< frames were given back; the area stays
  };

  Kind kind = Kind::kMap;
  GuestPhysRange range;
  HostPhysAddr host;       ///< HPA of the first byte of `range`, populated or not
  Access access;           ///< afterwards; of an unmapped range: before
  Access previous_access;  ///< kProtect: before
  MemoryType type = MemoryType::kWriteBack;
  Backend backend = Backend::kLinear;
  std::string_view area;  ///< its name; lives as long as the address space
};

/// Mirrors, logs and counters. Called by the thread that makes the change, which holds the address
/// space's writer lock: an observer may read the space, but not change it.
class ViewObserver {
 public:
  virtual ~ViewObserver() = default;

  /// May this map, unmap or protect happen? Asked for every part of an operation before any of it
  /// is done; an error refuses the whole operation. Must have no effect: the operation can still
  /// fail for other reasons.
  [[nodiscard]] virtual Result<void> permits(const ViewChange& /*change*/) { return {}; }

  /// The change has happened.
  virtual void changed(const ViewChange& change) = 0;
};

}  // namespace nestling
