// Words for the bits of a register.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nestling {

/// A bit, by number, and what the manual calls it.
struct BitName {
  unsigned bit = 0;
  std::string_view name;
};

/// Appends `word`, unless it is empty, with a blank between it and what is there.
void append_word(std::string& words, std::string_view word);

/// The names of the bits set in `value`, in the order of `names`, with a blank between; takes those
/// bits out of `value`.
[[nodiscard]] std::string take_names(std::uint64_t& value, std::span<const BitName> names);

/// The same, and last, in hex, the set bits that have no name. Empty for 0.
[[nodiscard]] std::string all_names(std::uint64_t value, std::span<const BitName> names);

}  // namespace nestling
