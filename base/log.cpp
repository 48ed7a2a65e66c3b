// One write() a line, so that lines of several threads stay whole.
#include "base/log.h"

#include <unistd.h>

#include <span>
#include <string>

#include "base/file_descriptor.h"

namespace nestling {

void Log::line(std::string_view text) {
  const std::string whole = fmt::format("nestling: {}\n", text);
  // A closed stderr leaves nobody to tell.
  (void)write_all(STDERR_FILENO, std::as_bytes(std::span(whole))).has_value();
}

}  // namespace nestling
