// The first serial port as the console drives it; registers by name for kernels that drive it
// themselves (16550 data sheet, "Registers").
#pragma once

#include <cstdint>

#include "guest/abi.h"
#include "guest/kit/x86_64/ports.h"

namespace nestling::guest::x86_64 {

inline constexpr Port kUartData{kPortUart};
inline constexpr Port kUartInterruptEnable = kUartData + 1;
inline constexpr Port kUartInterruptId = kUartData + 2;  // when read
inline constexpr Port kUartFifoControl = kUartData + 2;  // when written
inline constexpr Port kUartLineControl = kUartData + 3;
inline constexpr Port kUartModemControl = kUartData + 4;
inline constexpr Port kUartLineStatus = kUartData + 5;

inline constexpr std::uint8_t kUartEnableReceived = 0x01;
inline constexpr std::uint8_t kUartFifoOn = 0x01;
inline constexpr std::uint8_t kUart8BitsNoParity = 0x03;
inline constexpr std::uint8_t kUartInterruptOut = 0x08;  // OUT2: the PC's gate to the IRQ line
inline constexpr std::uint8_t kUartReady = 0x03;         // DTR and RTS
inline constexpr std::uint8_t kUartDataReady = 0x01;
inline constexpr std::uint8_t kUartTransmitterEmpty = 0x20;
inline constexpr std::uint8_t kUartNoInterrupt = 0x01;
inline constexpr unsigned kUartFifoSize = 16;

}  // namespace nestling::guest::x86_64
