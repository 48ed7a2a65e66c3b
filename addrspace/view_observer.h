// ViewObserver: who is told of every change of the guest-physical view, in order.
#pragma once

#include <cstdint>
#include <span>
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

/// Mirrors, logs and counters. All but entering() and leaving() are called by the thread that makes
/// the change while it holds the address space's writer lock: an observer may read the space there,
/// but not change it.
///
///     entering   permits…   prepare   (abandon, when somebody behind refuses)   changed…   leaving
///                                  | the view, and for removals the frames, change here |
class ViewObserver {
 public:
  virtual ~ViewObserver() = default;

  /// This thread is about to map, unmap, protect or discard, and holds no lock yet: the place to
  /// wait until nobody is inside what must stand still meanwhile. Followed by one leaving(),
  /// whatever comes of the change. Not told for populate and page faults.
  virtual void entering(ViewChange::Kind /*kind*/) {}
  virtual void leaving(ViewChange::Kind /*kind*/) {}

  /// May this change happen? Asked for every part of an operation before any of it is done; an
  /// error refuses the whole operation. Must have no effect: the operation can still fail for other
  /// reasons.
  [[nodiscard]] virtual Result<void> permits(const ViewChange& /*change*/) { return {}; }

  /// Makes the world outside the view ready for `changes`, all parts of one operation, which
  /// nothing but another observer can stop any more. New frames can be touched from here on, and
  /// what is to go must not be touched any more when this returns: its frames go next. All or
  /// nothing: an error, which refuses the whole operation, leaves everything as it was.
  [[nodiscard]] virtual Result<void> prepare(std::span<const ViewChange> /*changes*/) { return {}; }
  /// Takes back the last prepare(): an observer behind this one refused.
  virtual void abandon(std::span<const ViewChange> /*changes*/) {}

  /// The change has happened.
  virtual void changed(const ViewChange& change) = 0;
};

}  // namespace nestling
