// Proves that the debug console is there, says who it is when read, and prints what is written.
#include <cstdint>
#include <string_view>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/x86_64/ports.h"

namespace nestling::guest {

int kernel_main(const BootInfo& /*info*/) {
  constexpr x86_64::Port kDebugConsole{kPortDebugConsole};
  expect(x86_64::in<std::uint8_t>(kDebugConsole) == kPortDebugConsole, "0xe9 read at 0xe9");
  for (const char byte : std::string_view("written to the debug console\n")) {
    x86_64::out(kDebugConsole, static_cast<std::uint8_t>(byte));
  }
  return 0;
}

}  // namespace nestling::guest
