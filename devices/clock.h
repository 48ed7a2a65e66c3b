// Clock: what time it is, for devices that tell the guest.
#pragma once

#include <chrono>

namespace nestling {

/// Nanoseconds since 1970, UTC.
using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Any thread may ask. Never goes backwards while the machine runs.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual WallTime now() const = 0;
};

}  // namespace nestling
