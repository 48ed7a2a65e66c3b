// The chain of callers of a stopped guest, as every architecture's reports show it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "addrspace/address.h"

namespace nestling {

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

}  // namespace nestling
