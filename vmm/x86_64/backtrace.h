// The chain of callers of a stopped guest, by its frame pointers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vmm/x86_64/guest_view.h"

namespace nestling::x86_64 {

/// One function on the stack.
struct StackFrame {
  enum class Kind : std::uint8_t {
    kCurrent,  ///< `address` is the instruction that runs
    kCaller,   ///< `address` is where the callee returns to
  };
  Kind kind = Kind::kCurrent;
  GuestVirtAddr address;
};

struct Backtrace {
  std::vector<StackFrame> frames;  ///< innermost first; never empty
  std::string end;                 ///< why it goes no further
};

/// Follows RBP upwards, for at most `max_frames` frames. Ends at whatever is no frame: a zero, a
/// pointer that is misaligned, not mapped, or does not go up. Code built without frame pointers has
/// no chain, or a wrong one.
///
///     RBP -> | caller's RBP   | -> | its caller's RBP |
///            | return address |    | return address   |
[[nodiscard]] Backtrace backtrace(GuestView& view, std::size_t max_frames = 32);

}  // namespace nestling::x86_64
