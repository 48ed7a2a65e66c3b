// Pvpanic: the register through which a guest kernel reports that it panicked.
#pragma once

#include <cstdint>

#include "devices/device.h"
#include "devices/power_switch.h"

namespace nestling {

/// One byte (QEMU's pvpanic specification). A read gives the events understood; a write of
/// "panicked" ends the run as a panic, one of "crash loaded" says that the guest has a crash kernel
/// which goes on, and ends nothing. Any thread may call it.
class Pvpanic final : public ByteDevice {
 public:
  /// `power` must outlive the device.
  explicit Pvpanic(PowerSwitch& power) : power_(power) {}

 protected:
  [[nodiscard]] std::uint8_t read_byte(std::uint64_t offset) override;
  void write_byte(std::uint64_t offset, std::uint8_t value) override;

 private:
  PowerSwitch& power_;
};

}  // namespace nestling
