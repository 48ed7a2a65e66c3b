// RAM between and behind the device windows.
#include "boot/aarch64/ram_layout.h"

#include <algorithm>

namespace nestling::aarch64 {

std::uint64_t most_ram(unsigned address_bits) {
  const std::uint64_t end = 1ULL << std::min(address_bits, kMostAddressBits);
  const auto part_of = [end](std::uint64_t start, std::uint64_t limit) {
    return std::max(start, std::min(end, limit)) - start;
  };
  return part_of(kLowDeviceWindow.last().value() + 1, kHighDeviceWindow.start().value()) +
         part_of(kHighDeviceWindow.last().value() + 1, end);
}

Result<std::vector<GuestPhysRange>> ram_ranges(std::uint64_t size, unsigned address_bits) {
  if (size == 0) {
    return failure(make_error(ErrorKind::kUsage, "memory size 0: a guest needs at least one page"));
  }
  if (size % kPageSize != 0) {
    return failure(make_error(ErrorKind::kUsage,
                              "memory size {} bytes: not a multiple of the page size, {} bytes",
                              size, kPageSize));
  }
  if (size > most_ram(address_bits)) {
    const std::uint64_t most_gib = most_ram(address_bits) >> 30;
    return failure(make_error(
        ErrorKind::kUsage,
        "memory size {:#x} bytes: this host gives guests {} bits of physical address, which hold "
        "{} GiB of RAM beside the devices: pass --memory {}G or less",
        size, std::min(address_bits, kMostAddressBits), most_gib, most_gib));
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
