// RAM between and behind the device windows.
#include "boot/aarch64/ram_layout.h"

#include <algorithm>

namespace nestling::aarch64 {

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
                              "memory size {:#x} bytes: more than {:#x}, which arm64 can address",
                              size, kMaxRamSize));
  }
  const GuestPhysAddr start = kLowDeviceWindow.last() + 1;
  const std::uint64_t low = std::min(size, kHighDeviceWindow.start().offset_from(start));
  std::vector<GuestPhysRange> ranges = {GuestPhysRange::of(start, low)};
  if (size > low) {
    ranges.push_back(GuestPhysRange::of(kHighDeviceWindow.last() + 1, size - low));
  }
  return ranges;
}

}  // namespace nestling::aarch64
