// Proves that PSCI turns the machine off: status 0, whatever the kernel would return.
#include "guest/kit/aarch64/psci.h"
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"

int nestling::guest::kernel_main(const BootInfo& /*info*/) {
  aarch64::psci::call(aarch64::psci::Function::kSystemOff);
  halt_forever();
}
