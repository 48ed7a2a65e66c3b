// Where RAM stands in an arm64 machine.
#pragma once

#include <cstdint>
#include <vector>

#include "addrspace/range.h"
#include "base/result.h"

namespace nestling::aarch64 {

/// Never RAM: interrupt controller, UARTs and clock, where arm64's virtual machines have them.
///
///      0             1 GiB           3 GiB          4 GiB
///      |-- devices --|----- RAM -----|-- devices --|----- RAM beyond 2 GiB -----
inline constexpr GuestPhysRange kLowDeviceWindow =
    GuestPhysRange::of(GuestPhysAddr(0), 0x4000'0000);
/// Nor here: the devices that have the same address on every architecture, such as the exit
/// register.
inline constexpr GuestPhysRange kHighDeviceWindow =
    GuestPhysRange::of(GuestPhysAddr(0xc000'0000), 0x4000'0000);

/// The largest RAM: with the windows it just fits the 48 address bits of a stage-2 table.
inline constexpr std::uint64_t kMaxRamSize =
    (std::uint64_t{1} << 48) - kLowDeviceWindow.size() - kHighDeviceWindow.size();

/// The ranges that hold `size` bytes of RAM, ascending. Fails with kUsage when `size` is zero, not
/// a whole number of pages, or larger than kMaxRamSize. Whether the host's KVM has as many address
/// bits is not known here.
[[nodiscard]] Result<std::vector<GuestPhysRange>> ram_ranges(std::uint64_t size);

}  // namespace nestling::aarch64
