// ExitRegister: the register whose write ends the run, on a port or in memory.
#pragma once

#include <cstdint>

#include "devices/device.h"
#include "devices/power_switch.h"

namespace nestling {

/// A write of any width ends the run with the value written, wherever in the attached range it
/// lands; reads give 0. On x86's port 0xf4 it is QEMU's isa-debug-exit, except that QEMU makes
/// (value << 1) | 1 of the value, which is for whoever reports the status to do.
/// Any thread may call it.
class ExitRegister final : public Device {
 public:
  /// `power` must outlive the register.
  explicit ExitRegister(PowerSwitch& power) : power_(power) {}

  [[nodiscard]] std::uint64_t read(std::uint64_t offset, AccessWidth width) override;
  void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) override;

 private:
  PowerSwitch& power_;
};

}  // namespace nestling
