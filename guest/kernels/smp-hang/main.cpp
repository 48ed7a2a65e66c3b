// Proves that it is a hang once every CPU is halted: all are started and do nothing.
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"
#include "guest/kit/smp.h"

namespace nestling::guest {

int kernel_main(const BootInfo& /*info*/) {
  for (unsigned cpu = 1; cpu < cpu_count(); ++cpu) {
    start_cpu(cpu, [] {});
  }
  print("{} CPUs halt\n", cpu_count());
  halt_forever();
}

}  // namespace nestling::guest
