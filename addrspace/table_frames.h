// TableFrames: where page tables get their frames from; the RAM pool, or a heap for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "addrspace/range.h"

namespace nestling {

/// Host memory for tables, which has both an HPA (it stands in entries) and a host address.
/// One window: the frame at HPA h is at window() + h for as long as the frames exist, so that a
/// walker needs one addition and no call. Calls to one object are made by one thread at a time,
/// unless the implementation says it allows more.
class TableFrames {
 public:
  TableFrames() = default;
  TableFrames(const TableFrames&) = delete;
  TableFrames& operator=(const TableFrames&) = delete;
  virtual ~TableFrames() = default;

  /// `size` bytes, a power of two from 4 KiB to 64 KiB, aligned to `size`, with any contents; or
  /// nothing when there is no room or the limit is reached.
  [[nodiscard]] virtual std::optional<HostPhysRange> allocate(std::uint64_t size) = 0;

  /// Takes back what allocate() gave, whole. Cannot fail.
  virtual void free(HostPhysRange frames) = 0;

  /// The host address of HPA 0. Only bytes of allocated frames may be touched through it.
  [[nodiscard]] virtual std::byte* window() const = 0;
};

}  // namespace nestling
