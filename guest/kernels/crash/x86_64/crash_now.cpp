// UD2, in a function with a frame of its own.
#include "guest/kernels/crash/crash_now.h"

namespace nestling::guest {

int crash_now(int depth) {
  // On the stack, or the compiler would save itself the frame.
  const volatile int depth_here = depth;
  asm volatile("ud2");
  return depth_here;
}

}  // namespace nestling::guest
