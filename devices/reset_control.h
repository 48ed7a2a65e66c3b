// ResetControl: the reset register of Intel chipsets, I/O port 0xcf9.
#pragma once

#include <cstdint>
#include <mutex>

#include "devices/device.h"
#include "devices/power_switch.h"

namespace nestling {

/// RST_CNT (Intel ICH9 datasheet, "Reset Control Register"). The port lies inside PCI's address
/// register: a 4-byte write at 0xcf8 selects a configuration register and must not reset, whatever
/// its second byte. So this device is attached to all four ports, answers single bytes at the
/// second, and for everything else behaves as a machine without PCI: ones, ignored.
/// Any thread may call it.
class ResetControl final : public Device {
 public:
  /// Ports, the first of which is 0xcf8.
  static constexpr std::uint64_t kPortCount = 4;

  /// `power` must outlive the device.
  explicit ResetControl(PowerSwitch& power) : power_(power) {}

  [[nodiscard]] std::uint64_t read(std::uint64_t offset, AccessWidth width) override;
  void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) override;

 private:
  PowerSwitch& power_;
  std::mutex mutex_;
  std::uint8_t value_ = 0;  // guarded by mutex_
};

}  // namespace nestling
