// The ways a kernel ends its run, or stops without ending it.
#pragma once

#include <cstdint>
#include <string_view>

namespace nestling::guest {

/// Ends the run with `status` through the exit register.
[[noreturn]] void end_run(std::uint32_t status);

/// Prints `words` and reports a panic to the VMM, which ends the run.
[[noreturn]] void panic(std::string_view words);

/// Interrupts off and the CPU halted: nothing but a reset or an NMI ends this.
[[noreturn]] void halt_forever();

}  // namespace nestling::guest
