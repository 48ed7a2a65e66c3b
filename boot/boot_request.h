// BootRequest: what a machine asks a boot protocol to put into guest memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "addrspace/range.h"
#include "boot/boot_info.h"
#include "boot/image.h"
#include "boot/load.h"
#include "boot/memory_map.h"

namespace nestling {

/// In bytes, without the NUL that ends it.
inline constexpr std::size_t kMaxCommandLineSize = 0xffff;

/// The id of a machine's only CPU.
inline constexpr std::uint64_t kOnlyCpu[] = {0};

/// Everything is lent for the call.
struct BootRequest {
  const Image& image;
  /// Ascending, disjoint, page-aligned, none empty (ram_ranges of the architecture).
  std::span<const GuestPhysRange> ram;
  std::string_view command_line;
  std::span<const DeviceEntry> devices;
  /// What the hardware calls each CPU of the machine; the first one is entered.
  std::span<const std::uint64_t> cpu_ids = kOnlyCpu;
  RamContents ram_contents = RamContents::kZeros;
  /// Memory that is no RAM, all of it outside `ram`: ROMs and the like.
  std::span<const MemoryClaim> other_memory = {};
};

}  // namespace nestling
