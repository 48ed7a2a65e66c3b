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

/// A stage-2 table has no more.
inline constexpr unsigned kMostAddressBits = 48;

/// Bytes of RAM that fit, with the windows, into `address_bits` bits of guest-physical address.
[[nodiscard]] std::uint64_t most_ram(unsigned address_bits);

/// The ranges that hold `size` bytes of RAM, ascending, where the host gives a machine
/// `address_bits` bits of guest-physical address. Fails with kUsage when `size` is zero, not a
/// whole number of pages, or larger than most_ram() of them.
[[nodiscard]] Result<std::vector<GuestPhysRange>> ram_ranges(
    std::uint64_t size, unsigned address_bits = kMostAddressBits);

}  // namespace nestling::aarch64
