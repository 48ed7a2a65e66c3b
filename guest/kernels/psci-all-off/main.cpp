// Proves that it is a hang once every CPU is off: PSCI turns each of them off, the booting one
// last.
#include "guest/kit/aarch64/psci.h"
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"
#include "guest/kit/smp.h"

namespace nestling::guest {
namespace {

void turn_off() { aarch64::psci::call(aarch64::psci::Function::kCpuOff); }

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  for (unsigned cpu = 1; cpu < cpu_count(); ++cpu) {
    start_cpu(cpu, turn_off);
  }
  print("{} CPUs go off\n", cpu_count());
  turn_off();
  panic("a CPU that is off runs");
}

}  // namespace nestling::guest
