// IrqLine: one wire from a device to whatever interrupt controller the machine has.
#pragma once

#include <cstdint>

namespace nestling {

enum class IrqLevel : std::uint8_t { kLow, kHigh };

/// An interrupt line. Any thread may set it; setting the level it has changes nothing.
class IrqLine {
 public:
  virtual ~IrqLine() = default;
  virtual void set(IrqLevel level) = 0;
};

}  // namespace nestling
