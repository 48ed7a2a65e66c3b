// Proves that a kernel boots, speaks through its console and ends well: says hello, status 0.
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  print("Hello from a Nestling guest.\n");
  return 0;
}
