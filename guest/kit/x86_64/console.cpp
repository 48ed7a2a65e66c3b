// The console on the 16550: waits for an empty transmitter, then fills its FIFO.
#include "guest/kit/console.h"

#include "guest/kit/x86_64/uart.h"

namespace nestling::guest {
namespace {

using x86_64::in;
using x86_64::out;

/// Whether this kernel has programmed the UART yet. A kernel that prints nothing never touches it.
constinit bool uart_is_set_up = false;

void set_up_uart() {
  if (!uart_is_set_up) {
    out(x86_64::kUartLineControl, x86_64::kUart8BitsNoParity);
    out(x86_64::kUartFifoControl, x86_64::kUartFifoOn);
    uart_is_set_up = true;
  }
}

}  // namespace

void console_write(std::string_view bytes) {
  set_up_uart();
  unsigned room = 0;
  for (const char byte : bytes) {
    if (room == 0) {
      while ((in<std::uint8_t>(x86_64::kUartLineStatus) & x86_64::kUartTransmitterEmpty) == 0) {
      }
      room = x86_64::kUartFifoSize;
    }
    out(x86_64::kUartData, static_cast<std::uint8_t>(byte));
    --room;
  }
}

}  // namespace nestling::guest
