// Proves what the kit does about an exception that nobody handles: prints its frame and panics.
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  // Above what is mapped at entry: a page fault.
  return *at_address<volatile int>(0x7fff'dead'b000);
}
