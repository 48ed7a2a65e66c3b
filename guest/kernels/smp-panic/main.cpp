// Proves that the VMM says which CPU ended the run: the last one panics, the others halt.
#include "guest/kit/kernel.h"
#include "guest/kit/run_end.h"
#include "guest/kit/smp.h"

namespace nestling::guest {
namespace {

void give_up() { panic("of the last CPU"); }

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  start_cpu(cpu_count() - 1, give_up);
  halt_forever();
}

}  // namespace nestling::guest
