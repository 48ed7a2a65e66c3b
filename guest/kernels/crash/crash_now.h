// The function that crashes: each architecture has its own invalid instruction.
#pragma once

namespace nestling::guest {

extern "C" int crash_now(int depth);

}  // namespace nestling::guest
