// The console on the PL011: waits for room in the transmitter for each byte.
#include "guest/kit/console.h"

#include "guest/kit/aarch64/uart.h"

namespace nestling::guest {
namespace {

using aarch64::uart;
using aarch64::UartRegister;

/// Whether this kernel has programmed the UART yet. A kernel that prints nothing never touches it.
constinit bool uart_is_set_up = false;

void set_up_uart() {
  if (!uart_is_set_up) {
    uart(UartRegister::kLineControl) = aarch64::kUart8Bits | aarch64::kUartFifos;
    uart(UartRegister::kControl) = aarch64::kUartOn;
    uart_is_set_up = true;
  }
}

}  // namespace

void console_write(std::string_view bytes) {
  set_up_uart();
  for (const char byte : bytes) {
    while ((uart(UartRegister::kFlags) & aarch64::kUartTransmitFull) != 0) {
    }
    uart(UartRegister::kData) = static_cast<std::uint8_t>(byte);
  }
}

}  // namespace nestling::guest
