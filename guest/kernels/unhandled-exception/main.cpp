// Proves what the kit does about an exception that nobody handles: prints its frame and panics.
#include <cstdint>

#include "guest/kit/kernel.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  // Above what is mapped at entry: a page fault.
  volatile std::uint64_t* const unmapped = reinterpret_cast<std::uint64_t*>(0x7fff'dead'b000);
  return static_cast<int>(*unmapped);
}
