// `nestling run`: boots a kernel, connects it to the terminal, and reports how it ended.
#pragma once

#include "vmm/run_options.h"

namespace nestling {

/// Runs to the end, prints one line about it on stderr, and returns the process exit code.
[[nodiscard]] int run(const RunOptions& options);

}  // namespace nestling
