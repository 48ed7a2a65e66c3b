// Proves that the exit register in memory works as the exit port does: status 5.
#include <cstdint>

#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  *at_address<volatile std::uint32_t>(kMmioExit) = 5;
  halt_forever();
}
