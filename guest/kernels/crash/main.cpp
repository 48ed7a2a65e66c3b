// Proves what the VMM says of a crash that the guest cannot report: with no interrupt table, the
// invalid instruction in kernel_main -> outer -> inner -> crash_now is a triple fault.
#include "guest/kit/kernel.h"
#include "guest/kit/x86_64/interrupts.h"

namespace nestling::guest {
namespace {

// Functions that stay functions, with plain names and a frame each, and calls that are no jumps:
// the backtrace must show every one of them.
extern "C" {

[[gnu::noinline]] int crash_now(int depth) {
  // On the stack, or the compiler would save itself the frame.
  const volatile int depth_here = depth;
  asm volatile("ud2");
  return depth_here;
}

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
  x86_64::forget_interrupt_table();
  // Nothing the compiler knows, or it would make copies of the functions for it.
  return outer(static_cast<int>(info.version)) + 1;
}

}  // namespace nestling::guest
