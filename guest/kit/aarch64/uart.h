// The PL011 as the console drives it; registers by name for kernels that drive it themselves (Arm
// PrimeCell UART (PL011) Technical Reference Manual, "Register descriptions").
#pragma once

#include <cstdint>

#include "guest/abi.h"
#include "guest/kit/physical.h"

namespace nestling::guest::aarch64 {

/// A register's offset.
enum class UartRegister : std::uint64_t {
  kData = 0x00,
  kFlags = 0x18,
  kLineControl = 0x2c,
  kControl = 0x30,
  kInterruptMask = 0x38,
  kMaskedInterrupts = 0x40,
  kInterruptClear = 0x44,
};

[[nodiscard]] inline volatile std::uint32_t& uart(UartRegister offset) {
  return *at_address<volatile std::uint32_t>(kMmioPl011 + static_cast<std::uint64_t>(offset));
}

inline constexpr std::uint32_t kUartReceiveEmpty = 1U << 4;  // flags
inline constexpr std::uint32_t kUartTransmitFull = 1U << 5;
inline constexpr std::uint32_t kUartFifos = 1U << 4;  // line control
inline constexpr std::uint32_t kUart8Bits = 3U << 5;
inline constexpr std::uint32_t kUartOn = 1U << 0 | 1U << 8 | 1U << 9;  // control: UART, both ways
inline constexpr std::uint32_t kUartReceived = 1U << 4;                // interrupts
inline constexpr std::uint32_t kUartReceiveTimeout = 1U << 6;

}  // namespace nestling::guest::aarch64
