// A guest that writes known words all over its memory; one definition for each architecture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace nestling::testing {

/// Addresses at each of which the guest writes the address itself, in 64 bits.
struct Row {
  std::uint64_t start = 0;
  std::uint32_t count = 0;
  std::uint32_t stride = 0;
};

/// Machine code that runs wherever it stands, without an MMU or with pages mapped one to one: it
/// writes all `rows`, reads them all again, and exits with 0, or with 1 when it reads something
/// else.
[[nodiscard]] std::vector<std::byte> row_writer(std::span<const Row> rows);

}  // namespace nestling::testing
