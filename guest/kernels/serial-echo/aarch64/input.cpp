// The PL011 through the GIC.
#include "guest/kernels/serial-echo/input.h"

#include "guest/abi.h"
#include "guest/kit/aarch64/interrupt_controllers.h"
#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/aarch64/uart.h"

namespace nestling::guest {
namespace {

using aarch64::uart;
using aarch64::UartRegister;

constexpr aarch64::Intid kUartIntid{kIntidPl011};

constinit ByteHandler take = nullptr;

void on_interrupt(aarch64::Frame& /*frame*/) {
  const aarch64::Intid intid = aarch64::gic::acknowledge();
  if (intid == kUartIntid) {
    while ((uart(UartRegister::kFlags) & aarch64::kUartReceiveEmpty) == 0) {
      take(static_cast<std::uint8_t>(uart(UartRegister::kData)));
    }
  }
  if (intid != aarch64::kNoInterrupt) {
    aarch64::gic::end_of_interrupt(intid);
  }
}

}  // namespace

void start_input(ByteHandler take_byte) {
  take = take_byte;
  aarch64::set_interrupt_handler(on_interrupt);
  aarch64::gic::set_up();
  aarch64::gic::enable(kUartIntid);
  uart(UartRegister::kInterruptMask) = aarch64::kUartReceived | aarch64::kUartReceiveTimeout;
}

}  // namespace nestling::guest
