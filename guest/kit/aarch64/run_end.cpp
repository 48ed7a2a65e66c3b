// Exit register, pvpanic and the halt that nothing ends.
#include "guest/kit/run_end.h"

#include "guest/abi.h"
#include "guest/kit/console.h"
#include "guest/kit/physical.h"

namespace nestling::guest {

void end_run(std::uint32_t status) {
  *at_address<volatile std::uint32_t>(kMmioExit) = status;
  halt_forever();
}

void panic(std::string_view words) {
  print("panic: {}\n", words);
  *at_address<volatile std::uint8_t>(kMmioPvpanic) = kPvpanicPanicked;
  halt_forever();
}

void halt_forever() {
  for (;;) {
    asm volatile("msr daifset, #15\n\twfi");
  }
}

}  // namespace nestling::guest
