// Finding room in RAM for what a boot protocol hands over.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/range.h"

namespace nestling {

/// The pages that `range` touches, which is not empty and leaves a page of the space untouched.
[[nodiscard]] GuestPhysRange whole_pages(GuestPhysRange range);

/// Where room is looked for.
struct RoomLimits {
  GuestPhysRange window;                  ///< nowhere else
  std::span<const GuestPhysRange> ram;    ///< within one of these
  std::span<const GuestPhysRange> taken;  ///< in no page of these; none empty
};

/// The lowest `size` bytes (whole pages, not 0) that `where` allows, page-aligned. Nothing where
/// there are none.
[[nodiscard]] std::optional<GuestPhysRange> find_room(std::uint64_t size, const RoomLimits& where);

}  // namespace nestling
