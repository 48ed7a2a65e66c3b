// The slow half of check(): says what broke, and ends the process with the code for our own bugs.
#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace nestling::detail {

void check_failed(std::string_view message, const char* file, int line) {
  std::fprintf(stderr, "nestling: bug: %.*s (%s:%d)\n", static_cast<int>(message.size()),
               message.data(), file, line);
  std::abort();
}

}  // namespace nestling::detail
