// The command line: what `nestling` understands, turned into the options of its commands.
#pragma once

namespace nestling {

/// Does what the arguments of main() say, and returns the exit code of the process. An exception of
/// a library passes through.
[[nodiscard]] int command_line(int argc, const char* const* argv);

}  // namespace nestling
