// From a path to an Image: the one place that knows every image format.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "boot/image.h"

namespace nestling {

struct ImageSource {
  std::string path;
  /// Take the file as raw bytes for this address instead of looking what it is.
  std::optional<GuestPhysAddr> flat_address;
  /// What a flat image is made for, since it cannot say: the host's.
  Architecture flat_architecture = Architecture::kX86_64;
};

/// Maps the file and reads its headers; the image owns the mapping. Every message starts with the
/// path. Fails with kNoInput when the file is missing, unreadable or not a regular file, with
/// kBadImage when it is empty or as its format's reader says (boot/elf_image.h,
/// boot/flat_image.h). The file must not shrink while the image lives.
[[nodiscard]] Result<Image> open_image(const ImageSource& source);

}  // namespace nestling
