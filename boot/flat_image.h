// The reader of flat images: raw bytes that are loaded and entered at one address.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "boot/image.h"

namespace nestling {

/// An image of one segment with every right, loaded and entered at `address`. `bytes` is lent and
/// must outlive the image. Fails with kBadImage when there are no bytes or they wrap around the
/// top of the address space.
[[nodiscard]] Result<Image> make_flat_image(std::span<const std::byte> bytes, GuestPhysAddr address,
                                            Architecture architecture);

}  // namespace nestling
