// The real-time clock, a PL031: its registers (Arm PrimeCell Real Time Clock (PL031) Technical
// Reference Manual, "Register descriptions").
#pragma once

#include <cstdint>

#include "guest/abi.h"
#include "guest/kit/physical.h"
#include "guest/kit/rtc.h"

namespace nestling::guest::aarch64 {

/// A register's offset.
enum class RtcRegister : std::uint64_t {
  kData = 0x00,  // seconds since 1970
  kMatch = 0x04,
  kLoad = 0x08,
  kControl = 0x0c,
  kInterruptMask = 0x10,  // 1: the interrupt is enabled
  kRawInterrupt = 0x14,
  kMaskedInterrupt = 0x18,
  kInterruptClear = 0x1c,
};

[[nodiscard]] inline volatile std::uint32_t& rtc(RtcRegister offset) {
  return *at_address<volatile std::uint32_t>(kMmioPl031 + static_cast<std::uint64_t>(offset));
}

}  // namespace nestling::guest::aarch64
