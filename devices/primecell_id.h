// The identification registers at the end of each of Arm's PrimeCells.
#pragma once

#include <cstdint>
#include <optional>

namespace nestling {

/// Bytes of registers a PrimeCell has, with these at the end.
inline constexpr std::uint64_t kPrimeCellSize = 0x1000;

/// What PeriphID0 … 3 say, lowest byte first: part number, designer, revision, configuration.
enum class PrimeCellId : std::uint32_t {};

/// The register at `offset` if it is one of PeriphID0 … 3 and PCellID0 … 3: a byte each, at 0xfe0
/// to 0xffc.
[[nodiscard]] constexpr std::optional<std::uint32_t> primecell_id_register(PrimeCellId id,
                                                                           std::uint64_t offset) {
  constexpr std::uint64_t kPeripheralId = 0xfe0;
  constexpr std::uint64_t kPrimeCell = 0xff0;
  constexpr std::uint32_t kEveryPrimeCell = 0xb105'f00d;
  if (offset < kPeripheralId || offset >= kPrimeCellSize || offset % 4 != 0) {
    return std::nullopt;
  }
  const std::uint32_t all = offset < kPrimeCell ? static_cast<std::uint32_t>(id) : kEveryPrimeCell;
  return all >> (8 * (offset / 4 % 4)) & 0xff;
}

}  // namespace nestling
