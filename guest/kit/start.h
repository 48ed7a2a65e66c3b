// What the start code of every architecture calls once it has a stack.
#pragma once

#include "guest/abi.h"

namespace nestling::guest {

/// Runs the constructors and the kernel, and ends the run with the status it returns. Prints and
/// ends with kStatusBadBootInfo when `info` does not begin with the magic number.
extern "C" [[noreturn]] void guest_start(const BootInfo* info);

/// The status of a kernel that was handed something else than a BootInfo.
inline constexpr int kStatusBadBootInfo = 62;
/// The status of a kernel whose expect() failed.
inline constexpr int kStatusUnexpected = 63;

}  // namespace nestling::guest
