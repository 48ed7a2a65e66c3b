// The BootInfo with the lists it points to, as one block of bytes: the same on every architecture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "addrspace/range.h"
#include "base/result.h"
#include "boot/boot_request.h"

namespace nestling {

/// Fails with kUsage when the command line is longer than kMaxCommandLineSize or holds a NUL.
[[nodiscard]] Result<void> check_command_line(const BootRequest& request);

/// The bytes that make_information() makes for a map of `memory_map_count` entries.
[[nodiscard]] std::uint64_t information_size(const BootRequest& request,
                                             std::size_t memory_map_count);

/// What will stand at `start`, which is 8-byte aligned: the BootInfo, then what it points to.
///
///      start: | BootInfo | memory map | devices | CPU ids | command line, NUL |
[[nodiscard]] std::vector<std::byte> make_information(const BootRequest& request,
                                                      GuestPhysAddr start,
                                                      std::span<const MemoryMapEntry> memory_map);

}  // namespace nestling
