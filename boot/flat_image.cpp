// A flat image is one segment.
#include "boot/flat_image.h"

#include "boot/image_error.h"

namespace nestling {

Result<Image> make_flat_image(std::span<const std::byte> bytes, GuestPhysAddr address,
                              Architecture architecture) {
  if (bytes.empty()) {
    return bad_image("the file is empty");
  }
  const auto memory = GuestPhysRange::make(address, bytes.size());
  if (!memory) {
    return bad_image("{:#x} bytes at {:#x} wrap around", bytes.size(), address.value());
  }
  Image image;
  image.format = ImageFormat::kFlat;
  image.architecture = architecture;
  image.entry = address;
  image.virtual_entry = GuestVirtAddr(address.value());
  image.segments = {ImageSegment{*memory, GuestVirtAddr(address.value()), bytes, Access::all(), 0}};
  image.file = bytes;
  return image;
}

}  // namespace nestling
