// Taking texts apart at colons.
#include "vmm/area_option.h"

#include <charconv>
#include <cstdint>

#include "base/checked.h"

namespace nestling {

namespace {

/// What stands before the first colon, which is taken off `rest` with it; nothing without a colon.
std::optional<std::string_view> take_field(std::string_view& rest) {
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view field = rest.substr(0, colon);
  rest.remove_prefix(colon + 1);
  return field;
}

/// The shift that a suffix stands for, and the suffix taken off.
unsigned take_suffix(std::string_view& text) {
  constexpr std::string_view kSuffixes = "KMGT";
  if (text.empty()) {
    return 0;
  }
  const std::size_t index = kSuffixes.find(text.back());
  if (index == std::string_view::npos) {
    return 0;
  }
  text.remove_suffix(1);
  return 10 * (static_cast<unsigned>(index) + 1);
}

std::optional<GuestPhysAddr> take_address(std::string_view& rest) {
  const auto field = take_field(rest);
  const auto value = field ? parse_quantity(*field) : std::nullopt;
  return value ? std::optional(GuestPhysAddr(*value)) : std::nullopt;
}

std::optional<GuestPhysRange> range_of(std::optional<GuestPhysAddr> start, std::string_view size) {
  const auto bytes = parse_quantity(size);
  return start && bytes ? GuestPhysRange::make(*start, *bytes) : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_quantity(std::string_view text) {
  const unsigned shift = take_suffix(text);
  int base = 10;
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    base = 16;
  }
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || parsed != end || number > (UINT64_MAX >> shift)) {
    return std::nullopt;
  }
  return number << shift;
}

std::optional<RomSpec> parse_rom(std::string_view text) {
  const auto address = take_address(text);
  if (!address || text.empty()) {
    return std::nullopt;
  }
  return RomSpec{*address, std::string(text)};
}

std::optional<AliasSpec> parse_alias(std::string_view text) {
  const auto address = take_address(text);
  const auto source = take_address(text);
  const auto range = range_of(address, text);
  if (!source || !range) {
    return std::nullopt;
  }
  return AliasSpec{*range, *source};
}

std::optional<GuestPhysRange> parse_hole(std::string_view text) {
  const auto address = take_address(text);
  return range_of(address, text);
}

}  // namespace nestling
