// Proves that the UART interrupts: sleeps until a byte arrives, sends it back, and ends at the byte
// 0x04 (end of transmission) with the number of bytes echoed before it, at most 60.
#include <cstdint>

#include "guest/kit/console.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/uart.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used]] constexpr NeedsNote kNeeds{.flags = kNeedsIrqchip};

namespace {

using x86_64::Frame;
using x86_64::in;
using x86_64::Irq;
using x86_64::out;
using x86_64::Vector;

constexpr Vector kUartVector{0x24};
constexpr std::uint8_t kEndOfTransmission = 0x04;
constexpr int kLargestStatus = 60;

/// What the handler shares with the kernel, which looks at it with interrupts off.
struct Progress {
  int echoed = 0;
  bool ended = false;
};
constinit Progress progress{};

void take_byte(std::uint8_t byte) {
  if (byte == kEndOfTransmission) {
    progress.ended = true;
  } else if (!progress.ended) {
    const char text[] = {static_cast<char>(byte)};
    console_write({text, 1});
    ++progress.echoed;
  }
}

/// The line is edge-triggered: returns only when the UART asks for nothing more.
void on_uart(Frame& /*frame*/) {
  while ((in<std::uint8_t>(x86_64::kUartInterruptId) & x86_64::kUartNoInterrupt) == 0) {
    while ((in<std::uint8_t>(x86_64::kUartLineStatus) & x86_64::kUartDataReady) != 0) {
      take_byte(in<std::uint8_t>(x86_64::kUartData));
    }
  }
  x86_64::local_apic::end_of_interrupt();
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  x86_64::set_handler(kUartVector, on_uart);
  x86_64::pic::set_up();
  x86_64::local_apic::set_up();
  x86_64::io_apic::route(Irq{kIrqUart}, kUartVector);
  print("echo until 0x04\n");
  out(x86_64::kUartModemControl,
      static_cast<std::uint8_t>(x86_64::kUartReady | x86_64::kUartInterruptOut));
  out(x86_64::kUartInterruptEnable, x86_64::kUartEnableReceived);
  while (!progress.ended) {
    x86_64::wait_for_interrupt();
  }
  print("\nechoed {} bytes\n", progress.echoed);
  return progress.echoed < kLargestStatus ? progress.echoed : kLargestStatus;
}

}  // namespace nestling::guest
