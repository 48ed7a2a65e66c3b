// Blocks of memory copied and filled by the architecture's fastest instruction.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nestling::guest {

/// Copies from the first byte to the last; the blocks may overlap when `to` is below `from`.
void copy_forwards(void* to, const void* from, std::size_t size);

void fill(void* to, std::uint8_t value, std::size_t size);

}  // namespace nestling::guest
