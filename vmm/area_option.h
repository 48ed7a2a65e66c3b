// The values of --rom, --alias and --hole: addresses and sizes apart by colons.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vmm/memory/extra_areas.h"

namespace nestling {

/// A decimal number or 0x…, with K, M, G or T behind it for powers of 1024; nothing for anything
/// else, and for what does not fit 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_quantity(std::string_view text);

/// "ADDRESS:PATH", "ADDRESS:SOURCE:SIZE", "ADDRESS:SIZE"; nothing when the text is not of that form
/// or the range wraps.
[[nodiscard]] std::optional<RomSpec> parse_rom(std::string_view text);
[[nodiscard]] std::optional<AliasSpec> parse_alias(std::string_view text);
[[nodiscard]] std::optional<GuestPhysRange> parse_hole(std::string_view text);

}  // namespace nestling
