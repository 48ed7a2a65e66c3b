// bad_image(): how everything in boot/ says that an image cannot be booted.
#pragma once

#include <utility>

#include "base/result.h"

namespace nestling {

/// Fails with kBadImage and a message from a fmt format string, which names the field and value
/// that disqualified the image.
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> bad_image(fmt::format_string<Args...> format, Args&&... args) {
  return failure(make_error(ErrorKind::kBadImage, format, std::forward<Args>(args)...));
}

}  // namespace nestling
