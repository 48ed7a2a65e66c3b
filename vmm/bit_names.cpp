// Bits as words.
#include "vmm/bit_names.h"

#include <fmt/core.h>

namespace nestling {

void append_word(std::string& words, std::string_view word) {
  if (!words.empty() && !word.empty()) {
    words += ' ';
  }
  words += word;
}

std::string take_names(std::uint64_t& value, std::span<const BitName> names) {
  std::string words;
  for (const BitName& each : names) {
    const std::uint64_t bit = 1ULL << each.bit;
    if ((value & bit) != 0) {
      append_word(words, each.name);
      value &= ~bit;
    }
  }
  return words;
}

std::string all_names(std::uint64_t value, std::span<const BitName> names) {
  std::string words = take_names(value, names);
  if (value != 0) {
    append_word(words, fmt::format("{:#x}", value));
  }
  return words;
}

}  // namespace nestling
