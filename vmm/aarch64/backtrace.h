// The chain of callers of a stopped guest, by its frame records.
#pragma once

#include <cstddef>

#include "vmm/aarch64/guest_view.h"
#include "vmm/stack_frame.h"

namespace nestling::aarch64 {

/// Follows X29 upwards, for at most `max_frames` frames. Ends at whatever is no frame record: a
/// zero, a pointer that is misaligned, not mapped, or does not go up. Code built without frame
/// pointers has no chain, or a wrong one. (Procedure Call Standard for AArch64, "The Frame
/// Pointer".)
///
///     X29 -> | caller's X29   | -> | its caller's X29 |
///            | return address |    | return address   |
[[nodiscard]] Backtrace backtrace(GuestView& view, std::size_t max_frames = 32);

}  // namespace nestling::aarch64
