// The words that messages use for the parts of an image.
#include "boot/image.h"

#include <fmt/core.h>

namespace nestling {

std::string_view name_of(ImageFormat format) {
  return format == ImageFormat::kElf64 ? "ELF64" : "flat";
}

std::string_view name_of(Architecture architecture) {
  return architecture == Architecture::kX86_64 ? "x86_64" : "aarch64";
}

std::string name_of(Access access) {
  std::string text = "---";
  if (access.allows(Access::read())) {
    text[0] = 'r';
  }
  if (access.allows(Access::write())) {
    text[1] = 'w';
  }
  if (access.allows(Access::execute())) {
    text[2] = 'x';
  }
  return text;
}

std::string name_of(GuestPhysRange range) {
  if (range.is_empty()) {
    return fmt::format("empty at {:#x}", range.start().value());
  }
  return fmt::format("{:#x}-{:#x}", range.start().value(), range.last().value());
}

std::string name_of(const ImageSegment& segment, ImageFormat format) {
  if (format == ImageFormat::kFlat) {
    return "the image";
  }
  return fmt::format("program header {}", segment.number);
}

}  // namespace nestling
