// FaultRegisters: what the boot protocol's exception vectors read when nobody handles an exception.
#pragma once

#include <cstdint>

#include "devices/device.h"
#include "devices/power_switch.h"

namespace nestling::aarch64 {

/// A read ends the run, as a triple fault does on x86; writes are ignored. Stands at
/// kFaultRegisters (boot/aarch64/boot_vectors.h). Any thread may call it.
class FaultRegisters final : public Device {
 public:
  /// `power` must outlive the device.
  explicit FaultRegisters(PowerSwitch& power) : power_(power) {}

  [[nodiscard]] std::uint64_t read(std::uint64_t offset, AccessWidth width) override;
  void write(std::uint64_t offset, AccessWidth width, std::uint64_t value) override;

 private:
  PowerSwitch& power_;
};

}  // namespace nestling::aarch64
