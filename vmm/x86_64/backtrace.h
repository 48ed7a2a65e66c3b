// The chain of callers of a stopped guest, by its frame pointers.
#pragma once

#include <cstddef>

#include "vmm/stack_frame.h"
#include "vmm/x86_64/guest_view.h"

namespace nestling::x86_64 {

/// Follows RBP upwards, for at most `max_frames` frames. Ends at whatever is no frame: a zero, a
/// pointer that is misaligned, not mapped, or does not go up. Code built without frame pointers has
/// no chain, or a wrong one.
///
///     RBP -> | caller's RBP   | -> | its caller's RBP |
///            | return address |    | return address   |
[[nodiscard]] Backtrace backtrace(GuestView& view, std::size_t max_frames = 32);

}  // namespace nestling::x86_64
