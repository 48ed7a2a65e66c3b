// RAM around the device window.
#include "boot/x86_64/ram_layout.h"

#include <algorithm>

namespace nestling::x86_64 {

Result<std::vector<GuestPhysRange>> ram_ranges(std::uint64_t size) {
  if (size == 0) {
    return failure(make_error(ErrorKind::kUsage, "memory size 0: a guest needs at least one page"));
  }
  if (size % kPageSize != 0) {
    return failure(make_error(ErrorKind::kUsage,
                              "memory size {} bytes: not a multiple of the page size, {} bytes",
                              size, kPageSize));
  }
  if (size > kMaxRamSize) {
    return failure(make_error(ErrorKind::kUsage,
                              "memory size {:#x} bytes: more than {:#x}, which x86_64 can address",
                              size, kMaxRamSize));
  }
  const std::uint64_t low = std::min(size, kDeviceWindow.start().value());
  std::vector<GuestPhysRange> ranges = {GuestPhysRange::of(GuestPhysAddr(0), low)};
  if (size > low) {
    ranges.push_back(GuestPhysRange::of(kDeviceWindow.last() + 1, size - low));
  }
  return ranges;
}

}  // namespace nestling::x86_64
