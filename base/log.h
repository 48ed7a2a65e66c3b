// Diagnostics on stderr, one line each, behind a verbosity that the command line sets.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/core.h>

namespace nestling {

/// How much is said: warnings always, details with -v.
enum class Verbosity : std::uint8_t { kNormal, kVerbose };

/// Where a part of the program says what it noticed. Passed by reference to who needs it; any
/// thread may call it, lines never interleave.
class Log {
 public:
  explicit Log(Verbosity verbosity) : verbosity_(verbosity) {}

  /// Something the user should know although the run goes on.
  template <typename... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) const {
    line(fmt::format(format, std::forward<Args>(args)...));
  }

  /// A detail for -v; not even formatted otherwise.
  template <typename... Args>
  void detail(fmt::format_string<Args...> format, Args&&... args) const {
    if (verbosity_ == Verbosity::kVerbose) {
      line(fmt::format(format, std::forward<Args>(args)...));
    }
  }

  [[nodiscard]] Verbosity verbosity() const { return verbosity_; }

 private:
  static void line(std::string_view text);

  Verbosity verbosity_;
};

}  // namespace nestling
