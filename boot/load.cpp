// Segments against RAM, against each other, and into memory.
#include "boot/load.h"

#include <algorithm>
#include <string>
#include <vector>

#include "boot/image_error.h"

namespace nestling {

namespace {

std::string names_of(std::span<const GuestPhysRange> ranges) {
  std::string text;
  for (const GuestPhysRange& range : ranges) {
    text += (text.empty() ? "" : ", ") + name_of(range);
  }
  return text;
}

}  // namespace

Result<void> check_segments(const Image& image, std::span<const GuestPhysRange> ram) {
  std::vector<const ImageSegment*> ascending;
  for (const ImageSegment& segment : image.segments) {
    const bool fits = std::any_of(ram.begin(), ram.end(), [&](const GuestPhysRange& range) {
      return range.contains(segment.memory);
    });
    if (!fits) {
      return bad_image("{}: {} at {} ({:#x} bytes) lies outside RAM ({})", image.name,
                       name_of(segment, image.format), name_of(segment.memory),
                       segment.memory.size(), names_of(ram));
    }
    ascending.push_back(&segment);
  }
  std::sort(ascending.begin(), ascending.end(), [](const auto* left, const auto* right) {
    return left->memory.start() < right->memory.start();
  });
  for (std::size_t index = 1; index < ascending.size(); ++index) {
    const ImageSegment& below = *ascending[index - 1];
    const ImageSegment& above = *ascending[index];
    if (below.memory.overlaps(above.memory)) {
      return bad_image("{}: {} at {} overlaps {} at {}", image.name, name_of(above, image.format),
                       name_of(above.memory), name_of(below, image.format), name_of(below.memory));
    }
  }
  return {};
}

Result<void> load_segments(const Image& image, RamContents contents, GuestMemory& memory) {
  for (const ImageSegment& segment : image.segments) {
    auto done = memory.write(segment.memory.start(), segment.file);
    const std::uint64_t rest = segment.memory.size() - segment.file.size();
    if (done && contents == RamContents::kAnything && rest != 0) {
      done = memory.zero(GuestPhysRange::of(segment.memory.start() + segment.file.size(), rest));
    }
    if (!done) {
      return failure(load_error(name_of(segment, image.format), done.error()));
    }
  }
  return {};
}

Error load_error(std::string_view what, const MemoryFault& fault) {
  return make_error(ErrorKind::kHostRefused, "cannot load {}: {}", what, describe(fault));
}

}  // namespace nestling
