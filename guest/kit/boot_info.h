// Reading the BootInfo: its lists as spans, its command line as text and as numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "guest/abi.h"

namespace nestling::guest {

/// What the kernel was handed.
[[nodiscard]] const BootInfo& boot_info();

[[nodiscard]] std::span<const MemoryMapEntry> memory_map(const BootInfo& info);
[[nodiscard]] std::span<const DeviceEntry> devices(const BootInfo& info);
[[nodiscard]] std::span<const std::uint64_t> cpu_ids(const BootInfo& info);
[[nodiscard]] std::string_view command_line(const BootInfo& info);

/// The decimal or 0x… number behind `name=` on the command line, which is words apart by spaces;
/// nothing when there is none, or something else than a number.
[[nodiscard]] std::optional<std::uint64_t> command_line_number(const BootInfo& info,
                                                               std::string_view name);
/// True when the command line has exactly this word.
[[nodiscard]] bool command_line_has(const BootInfo& info, std::string_view word);

/// The number that `text` is, decimal or 0x…; nothing when it is not one or does not fit.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace nestling::guest
