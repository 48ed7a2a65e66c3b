// Proves that the guest's own status reaches the caller: ends with `status=` of its command line,
// which may have 32 bits; 3 without one.
#include "guest/kit/boot_info.h"
#include "guest/kit/kernel.h"

int nestling::guest::kernel_main(const BootInfo& info) {
  return static_cast<int>(command_line_number(info, "status").value_or(3));
}
