// Proves that the UART interrupts: sleeps until a byte arrives, sends it back, and ends at the byte
// 0x04 (end of transmission) with the number of bytes echoed before it, at most 60.
#include <cstdint>

#include "guest/kernels/serial-echo/input.h"
#include "guest/kit/console.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used, gnu::aligned(4)]] constexpr NeedsNote kNeeds{
    .flags = kNeedsIrqchip};

namespace {

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

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  print("echo until 0x04\n");
  start_input(take_byte);
  while (!progress.ended) {
    wait_for_interrupt();
  }
  print("\nechoed {} bytes\n", progress.echoed);
  return progress.echoed < kLargestStatus ? progress.echoed : kLargestStatus;
}

}  // namespace nestling::guest
