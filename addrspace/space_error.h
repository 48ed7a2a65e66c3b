// SpaceError: why an operation of the address space was refused, with the addresses involved.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "addrspace/range.h"

namespace nestling {

/// Nothing has changed when an operation returns one.
struct SpaceError {
  enum class Reason : std::uint8_t {
    kEmpty,           ///< the range must not be empty
    kMisaligned,      ///< a start or size is no multiple of 4 KiB, or an alignment no power of two
    kOutsideSpace,    ///< part of the range is outside the address space
    kOutsidePool,     ///< the frames from `host` on are not all in the pool, or wrap
    kOverlap,         ///< an area is there: `other`, `detail` is its name
    kNoArea,          ///< no area at `at`
    kNotExpressible,  ///< the entry format has no encoding for this access or memory type
    kNotAllocating,   ///< the area at `at` is linear: its frames are not the address space's
    kNoRoom,          ///< no hole of that size within the limit
    kOutOfMemory,     ///< the pool's limit or the host refuses; `detail` says which
    kOutOfAddresses,  ///< the pool's reservation has no extent of that size
    kOutOfTables,     ///< no frame for another page table
    kOutOfNodes,      ///< no memory for the bookkeeping of areas
    kRefused,         ///< an observer refuses; `detail` is what it says
  };

  Reason reason = Reason::kEmpty;
  GuestPhysRange range;                 ///< what was asked for
  std::optional<GuestPhysAddr> at;      ///< the first address at fault
  std::optional<HostPhysAddr> host;     ///< the first frame asked for
  std::optional<GuestPhysRange> other;  ///< what is in the way
  std::string detail;
};

/// One sentence with the numbers in hex.
[[nodiscard]] std::string describe(const SpaceError& error);

}  // namespace nestling
