// The 16550 through the I/O APIC.
#include "guest/kernels/serial-echo/input.h"

#include "guest/abi.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/uart.h"

namespace nestling::guest {
namespace {

using x86_64::in;
using x86_64::Irq;
using x86_64::out;
using x86_64::Vector;

constexpr Vector kUartVector{0x24};

constinit ByteHandler take = nullptr;

/// The line is edge-triggered: returns only when the UART asks for nothing more.
void on_uart(x86_64::Frame& /*frame*/) {
  while ((in<std::uint8_t>(x86_64::kUartInterruptId) & x86_64::kUartNoInterrupt) == 0) {
    while ((in<std::uint8_t>(x86_64::kUartLineStatus) & x86_64::kUartDataReady) != 0) {
      take(in<std::uint8_t>(x86_64::kUartData));
    }
  }
  x86_64::local_apic::end_of_interrupt();
}

}  // namespace

void start_input(ByteHandler take_byte) {
  take = take_byte;
  x86_64::set_handler(kUartVector, on_uart);
  x86_64::pic::set_up();
  x86_64::local_apic::set_up();
  x86_64::io_apic::route(Irq{kIrqUart}, kUartVector);
  out(x86_64::kUartModemControl,
      static_cast<std::uint8_t>(x86_64::kUartReady | x86_64::kUartInterruptOut));
  out(x86_64::kUartInterruptEnable, x86_64::kUartEnableReceived);
}

}  // namespace nestling::guest
