// Proves what the VMM says of a crash that the guest cannot report: with no handlers for
// exceptions, the invalid instruction in kernel_main -> outer -> inner -> crash_now ends the run.
#include "guest/kernels/crash/crash_now.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"

namespace nestling::guest {
namespace {

// Functions that stay functions, with plain names and a frame each, and calls that are no jumps:
// the backtrace must show every one of them.
extern "C" {

[[gnu::noinline]] int inner(int depth) {
  const int result = crash_now(depth + 1);
  asm volatile("" : : "r"(result));
  return result;
}

[[gnu::noinline]] int outer(int depth) {
  const int result = inner(depth + 1);
  asm volatile("" : : "r"(result));
  return result;
}
}

}  // namespace

int kernel_main(const BootInfo& info) {
  forget_exception_handlers();
  // Nothing the compiler knows, or it would make copies of the functions for it.
  return outer(static_cast<int>(info.version)) + 1;
}

}  // namespace nestling::guest
