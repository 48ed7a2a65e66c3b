// Exit port, pvpanic and the halt that nothing ends.
#include "guest/kit/run_end.h"

#include "guest/abi.h"
#include "guest/kit/console.h"
#include "guest/kit/x86_64/ports.h"

namespace nestling::guest {

void end_run(std::uint32_t status) {
  x86_64::out(x86_64::Port{kPortExit}, status);
  halt_forever();
}

void panic(std::string_view words) {
  print("panic: {}\n", words);
  x86_64::out(x86_64::Port{kPortPvpanic}, kPvpanicPanicked);
  halt_forever();
}

void halt_forever() {
  for (;;) {
    asm volatile("cli; hlt");
  }
}

}  // namespace nestling::guest
