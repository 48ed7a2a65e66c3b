// Proves that a device access which the processor does not describe to the VMM is explained: reads
// two registers of the exit device by one instruction, and never gets further.
#include <cstdint>

#include "guest/kit/console.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  asm volatile("ldp %0, %1, [%2]"
               : "=&r"(first), "=&r"(second)
               : "r"(at_address<const volatile std::uint64_t>(kMmioExit)));
  print("a pair was read: {} {}\n", first, second);
  return 0;
}
