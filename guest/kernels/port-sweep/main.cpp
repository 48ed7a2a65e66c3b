// Proves that no port can hurt: reads and writes each port from `first=` to `last=` of the command
// line (0 to 0x3ff unless told otherwise) in each width, but for writes that end the run; status 0.
#include <algorithm>
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"
#include "guest/kit/x86_64/ports.h"
#include "guest/kit/x86_64/uart.h"

namespace nestling::guest {
namespace {

/// Ports that end the run when they are written.
constexpr std::uint16_t kEndsTheRun[] = {kPortExit,         kPortExit + 1,  kPortExit + 2,
                                         kPortExit + 3,     kPortI8042Data, kPortI8042Command,
                                         kPortResetControl, kPortPvpanic};

bool ends_the_run(std::uint16_t port, unsigned width) {
  return std::ranges::any_of(kEndsTheRun, [port, width](std::uint16_t end) {
    return end >= port && static_cast<unsigned>(end - port) < width;
  });
}

template <typename T>
void access(std::uint16_t port) {
  const auto value = x86_64::in<T>(x86_64::Port{port});
  if (!ends_the_run(port, sizeof(T))) {
    x86_64::out<T>(x86_64::Port{port}, static_cast<T>(~value));
    x86_64::out<T>(x86_64::Port{port}, value);
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  const std::uint64_t first = command_line_number(info, "first").value_or(0);
  const std::uint64_t last = command_line_number(info, "last").value_or(0x3ff);
  for (std::uint64_t port = first; port <= last && port <= 0xffff; ++port) {
    access<std::uint8_t>(static_cast<std::uint16_t>(port));
    access<std::uint16_t>(static_cast<std::uint16_t>(port));
    access<std::uint32_t>(static_cast<std::uint16_t>(port));
  }
  // The UART was swept too; what it does now is anyone's guess.
  x86_64::out(x86_64::kUartModemControl, std::uint8_t{0});
  x86_64::out(x86_64::kUartInterruptEnable, std::uint8_t{0});
  print("\nswept ports {} to {}\n", hex(first), hex(last));
  return 0;
}

}  // namespace nestling::guest
