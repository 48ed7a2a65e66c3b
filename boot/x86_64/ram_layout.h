// Where RAM stands in an x86_64 machine.
#pragma once

#include <cstdint>
#include <vector>

#include "addrspace/range.h"
#include "base/result.h"

namespace nestling::x86_64 {

/// Never RAM: interrupt controllers and memory-mapped devices, as on a PC.
///
///      0            3 GiB          4 GiB
///      |----- RAM -----|-- devices --|----- RAM beyond 3 GiB -----
inline constexpr GuestPhysRange kDeviceWindow =
    GuestPhysRange::of(GuestPhysAddr(0xc000'0000), 0x4000'0000);

/// The largest RAM: with the device window it just fits the architecture's 52 address bits.
inline constexpr std::uint64_t kMaxRamSize = (std::uint64_t{1} << 52) - kDeviceWindow.size();

/// The ranges that hold `size` bytes of RAM, ascending. Fails with kUsage when `size` is zero, not
/// a whole number of pages, or larger than kMaxRamSize.
[[nodiscard]] Result<std::vector<GuestPhysRange>> ram_ranges(std::uint64_t size);

}  // namespace nestling::x86_64
