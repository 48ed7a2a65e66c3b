// What a guest kernel defines: one function, called by the kit's start code.
#pragma once

#include "guest/abi.h"

namespace nestling::guest {

/// The kernel. Runs on the kit's stack with interrupts off and the kit's exception handlers in
/// place; what it returns is the exit status of the run.
int kernel_main(const BootInfo& info);

}  // namespace nestling::guest
