// Finding room in RAM for what a boot protocol hands over.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "addrspace/range.h"

namespace nestling {

/// The pages that `range`, which is not empty, touches.
[[nodiscard]] GuestPhysRange whole_pages(GuestPhysRange range);

/// The lowest `size` bytes (whole pages, not 0) of one range of `ram` that lie in `window` and
/// share no page with any of `taken` (none empty); page-aligned. Nothing where there are none.
[[nodiscard]] std::optional<GuestPhysRange> find_room(std::uint64_t size, GuestPhysRange window,
                                                      std::span<const GuestPhysRange> ram,
                                                      std::span<const GuestPhysRange> taken);

}  // namespace nestling
