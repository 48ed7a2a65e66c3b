// Writing a whole file so that a reader sees the old one or the new one, never half of it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace nestling {

/// Puts `text` into the file at `path`, replacing what was there in one step; "-" is standard
/// output. What is not a regular file (a pipe, a terminal, /dev/stderr) is written to as it is; a
/// symbolic link is followed. A file that was there keeps its permissions. Fails with kHostRefused,
/// naming the file, and leaves an old file untouched.
[[nodiscard]] Result<void> write_output_file(const std::string& path, std::string_view text);

}  // namespace nestling
