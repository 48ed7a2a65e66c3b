// PageSize: the three sizes of a stage-2 leaf entry, the same on every architecture we support.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace nestling {

/// How many bytes one leaf entry maps. The values are the logarithms, so sizes compare as expected.
enum class PageSize : std::uint8_t { k4KiB = 12, k2MiB = 21, k1GiB = 30 };

/// Ascending.
inline constexpr std::array kPageSizes = {PageSize::k4KiB, PageSize::k2MiB, PageSize::k1GiB};

[[nodiscard]] constexpr std::uint64_t bytes_of(PageSize size) {
  return 1ULL << static_cast<unsigned>(size);
}

[[nodiscard]] constexpr std::string_view name_of(PageSize size) {
  switch (size) {
    case PageSize::k4KiB:
      return "4K";
    case PageSize::k2MiB:
      return "2M";
    case PageSize::k1GiB:
      return "1G";
  }
  return "?";
}

static_assert(bytes_of(PageSize::k4KiB) == 4096);
static_assert(bytes_of(PageSize::k2MiB) == 0x20'0000);
static_assert(bytes_of(PageSize::k1GiB) == 0x4000'0000);

}  // namespace nestling
