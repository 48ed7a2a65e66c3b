// Proves that a flood of output is delivered, all of it and in order: prints `lines=` numbered
// lines of 64 bytes, 1000 of them unless told otherwise; status 0.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"

namespace nestling::guest {

int kernel_main(const BootInfo& info) {
  constexpr std::uint64_t kDefaultLines = 1000;
  const std::uint64_t lines = command_line_number(info, "lines").value_or(kDefaultLines);
  for (std::uint64_t line = 0; line < lines; ++line) {
    print("{} 0123456789abcdefghijklmnopqrstuvwxyz 1234567\n", hex16(line));
  }
  return 0;
}

}  // namespace nestling::guest
