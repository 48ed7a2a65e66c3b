// check(): aborts with a message when one of our own assumptions is false; on in release builds.
#pragma once

#include <string_view>

namespace nestling {

namespace detail {
[[noreturn]] void check_failed(std::string_view message, const char* file, int line);
}  // namespace detail

/// Aborts the process with `message` and the caller's position unless `condition` holds.
/// For bugs of ours only: never for bad input, a refusing host, or anything a guest can cause.
constexpr void check(bool condition, std::string_view message, const char* file = __builtin_FILE(),
                     int line = __builtin_LINE()) {
  if (!condition) [[unlikely]] {
    detail::check_failed(message, file, line);
  }
}

}  // namespace nestling
