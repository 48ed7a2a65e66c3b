// MemoryInspector: what the test device asks the VMM about guest memory, and has it do.
#pragma once

#include <cstdint>
#include <string_view>

#include "addrspace/guest_translation.h"
#include "addrspace/guest_walk.h"
#include "addrspace/range.h"
#include "addrspace/space_error.h"
#include "addrspace/space_types.h"
#include "base/result.h"

namespace nestling {

/// Bytes of guest memory.
struct MemoryUsage {
  std::uint64_t resident = 0;
  std::uint64_t mapped = 0;  ///< in areas
};

/// Any vCPU thread may call it; translate() speaks of the vCPU whose exit that thread handles.
class MemoryInspector {
 public:
  virtual ~MemoryInspector() = default;

  /// Walks the calling vCPU's tables as it would for `access` of `address`.
  [[nodiscard]] virtual GuestTranslation translate(GuestVirtAddr address, GuestAccess access) = 0;

  /// As AddressSpace's: whole pages, all of them in areas.
  [[nodiscard]] virtual Result<void, SpaceError> populate(GuestPhysRange range) = 0;
  [[nodiscard]] virtual Result<void, SpaceError> discard(GuestPhysRange range) = 0;

  [[nodiscard]] virtual MemoryUsage usage() = 0;
  [[nodiscard]] virtual Result<PageInfo, Missing> query(GuestPhysAddr address) = 0;
  /// The name of the area at `address`, empty where none is.
  [[nodiscard]] virtual std::string_view area_at(GuestPhysAddr address) = 0;
  /// The number, in the order of --lazy's words, of how guest pages come into being.
  [[nodiscard]] virtual std::uint64_t fault_path() = 0;
};

}  // namespace nestling
