// Proves that a kernel that never exits can be stopped: says so, then loops.
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  print("looping\n");
  for (;;) {
    asm volatile("");
  }
}
