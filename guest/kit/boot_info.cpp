// The lists behind a BootInfo's addresses, and the words of its command line.
#include "guest/kit/boot_info.h"

#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

/// Takes the first word off `rest`; empty when there is no more.
std::string_view next_word(std::string_view& rest) {
  while (!rest.empty() && rest.front() == ' ') {
    rest.remove_prefix(1);
  }
  std::size_t size = 0;
  while (size < rest.size() && rest[size] != ' ') {
    ++size;
  }
  const std::string_view word(rest.data(), size);
  rest.remove_prefix(size);
  return word;
}

/// 0 to 15, or 16 for what is no digit.
unsigned digit(char character) {
  unsigned value = 16;
  if (character >= '0' && character <= '9') {
    value = static_cast<unsigned>(character - '0');
  } else if (character >= 'a' && character <= 'f') {
    value = static_cast<unsigned>(character - 'a') + 10;
  } else if (character >= 'A' && character <= 'F') {
    value = static_cast<unsigned>(character - 'A') + 10;
  }
  return value;
}

}  // namespace

std::span<const MemoryMapEntry> memory_map(const BootInfo& info) {
  return {at_address<const MemoryMapEntry>(info.memory_map), info.memory_map_count};
}

std::span<const DeviceEntry> devices(const BootInfo& info) {
  return {at_address<const DeviceEntry>(info.devices), info.device_count};
}

std::span<const std::uint64_t> cpu_ids(const BootInfo& info) {
  return {at_address<const std::uint64_t>(info.cpu_ids), info.cpu_count};
}

std::string_view command_line(const BootInfo& info) {
  return {at_address<const char>(info.command_line), info.command_line_size};
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  unsigned base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty()) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char character : text) {
    const unsigned value = digit(character);
    if (value >= base || __builtin_mul_overflow(number, base, &number) ||
        __builtin_add_overflow(number, value, &number)) {
      return std::nullopt;
    }
  }
  return number;
}

std::optional<std::uint64_t> command_line_number(const BootInfo& info, std::string_view name) {
  std::string_view rest = command_line(info);
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest)) {
    if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=') {
      word.remove_prefix(name.size() + 1);
      return parse_number(word);
    }
  }
  return std::nullopt;
}

bool command_line_has(const BootInfo& info, std::string_view word) {
  std::string_view rest = command_line(info);
  for (std::string_view each = next_word(rest); !each.empty(); each = next_word(rest)) {
    if (each == word) {
      return true;
    }
  }
  return false;
}

}  // namespace nestling::guest
