// Text that a guest or a file chose, made safe for a terminal and for one line of a report.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace nestling {

/// `text` with everything that a terminal could take as a command (control characters, also those
/// above ASCII, and bytes that are not UTF-8) as \xNN, a backslash as itself, and at most
/// `max_bytes` of the input: a longer one ends in "…".
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = 200);

}  // namespace nestling
