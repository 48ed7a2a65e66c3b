// Errors that carry the host's own words.
#include "base/result.h"

#include <cstring>
#include <string_view>

namespace nestling {

Error host_error(std::string_view what, int error_number) {
  // strerrordesc_np is thread-safe and never translated, so messages are stable.
  const char* text = strerrordesc_np(error_number);
  return make_error(ErrorKind::kHostRefused, "{}: {}", what,
                    text != nullptr ? text : "unknown error");
}

}  // namespace nestling
