// BootRequest: what a machine asks a boot protocol to put into guest memory.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "addrspace/range.h"
#include "boot/boot_info.h"
#include "boot/image.h"
#include "boot/load.h"

namespace nestling {

/// In bytes, without the NUL that ends it.
inline constexpr std::size_t kMaxCommandLineSize = 0xffff;

/// Everything is lent for the call.
struct BootRequest {
  const Image& image;
  /// Ascending, disjoint, page-aligned, none empty (x86_64::ram_ranges).
  std::span<const GuestPhysRange> ram;
  std::string_view command_line;
  std::span<const DeviceEntry> devices;
  RamContents ram_contents = RamContents::kZeros;
};

}  // namespace nestling
