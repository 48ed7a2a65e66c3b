// Proves that a reset through PSCI ends the run as one.
#include "guest/kit/aarch64/psci.h"
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  aarch64::psci::call(aarch64::psci::Function::kSystemReset);
  halt_forever();
}
