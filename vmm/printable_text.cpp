// UTF-8 by hand: well-formed sequences of visible characters pass, all else is shown as bytes.
#include "vmm/printable_text.h"

#include <cstdint>
#include <iterator>

#include <fmt/core.h>

namespace nestling {

namespace {

/// How many bytes the sequence has that starts with `lead`, and its shortest legal code point;
/// length 0 for a byte that starts none. Unicode Standard, "UTF-8".
struct Sequence {
  std::size_t length = 0;
  std::uint32_t bits = 0;
  std::uint32_t smallest = 0;
};

Sequence sequence_of(std::uint8_t lead) {
  if (lead < 0x80) {
    return {1, lead, 0};
  }
  if ((lead & 0xe0) == 0xc0) {
    return {2, lead & 0x1fU, 0x80};
  }
  if ((lead & 0xf0) == 0xe0) {
    return {3, lead & 0x0fU, 0x800};
  }
  if ((lead & 0xf8) == 0xf0) {
    return {4, lead & 0x07U, 0x10000};
  }
  return {};
}

bool is_visible(std::uint32_t code_point) {
  const bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
  const bool surrogate = code_point >= 0xd800 && code_point < 0xe000;
  // Line separators and the marks that turn the direction of writing.
  const bool format = (code_point >= 0x200b && code_point <= 0x200f) ||
                      (code_point >= 0x2028 && code_point <= 0x202e) ||
                      (code_point >= 0x2060 && code_point <= 0x206f) || code_point == 0xfeff;
  return !control && !surrogate && !format && code_point <= 0x10ffff;
}

/// Bytes of the visible character `text` starts with; 0 when it starts with none.
std::size_t visible_length(std::string_view text) {
  const Sequence sequence = sequence_of(static_cast<std::uint8_t>(text.front()));
  if (sequence.length == 0 || sequence.length > text.size()) {
    return 0;
  }
  std::uint32_t code_point = sequence.bits;
  for (const char each : text.substr(1, sequence.length - 1)) {
    const auto byte = static_cast<std::uint8_t>(each);
    if ((byte & 0xc0) != 0x80) {
      return 0;
    }
    code_point = (code_point << 6) | (byte & 0x3fU);
  }
  return code_point >= sequence.smallest && is_visible(code_point) ? sequence.length : 0;
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  std::size_t taken = 0;
  while (taken < text.size()) {
    const std::string_view rest = text.substr(taken);
    const std::size_t length = visible_length(rest);
    if (taken + (length == 0 ? 1 : length) > max_bytes) {
      return out + "…";
    }
    if (length == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<std::uint8_t>(rest.front()));
      ++taken;
    } else {
      out += rest.substr(0, length);
      taken += length;
    }
  }
  return out;
}

}  // namespace nestling
