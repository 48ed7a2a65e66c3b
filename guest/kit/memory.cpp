// The functions of the C library that compilers and the standard headers call although nobody wrote
// a call: freestanding code brings its own. Through volatile, or a loop would become a call of
// itself.
#include <cstddef>
#include <cstdint>

#include "guest/kit/block.h"

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  nestling::guest::copy_forwards(to, from, size);
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  if (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from) >= size) {
    nestling::guest::copy_forwards(to, from, size);
    return to;
  }
  auto* const target = static_cast<volatile std::uint8_t*>(to);
  const auto* const source = static_cast<const volatile std::uint8_t*>(from);
  while (size != 0) {
    --size;
    target[size] = source[size];
  }
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  nestling::guest::fill(to, static_cast<std::uint8_t>(value), size);
  return to;
}

// NOLINTBEGIN(bugprone-easily-swappable-parameters): the C library's signatures.
int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* const a = static_cast<const volatile std::uint8_t*>(left);
  const auto* const b = static_cast<const volatile std::uint8_t*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    const int difference = a[i] - b[i];
    if (difference != 0) {
      return difference;
    }
  }
  return 0;
}

std::size_t strlen(const char* text) {
  const volatile char* at = text;
  while (*at != '\0') {
    ++at;
  }
  return static_cast<std::size_t>(at - text);
}

const void* memchr(const void* where, int byte, std::size_t size) {
  const auto* const bytes = static_cast<const volatile std::uint8_t*>(where);
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<std::uint8_t>(byte)) {
      return static_cast<const std::uint8_t*>(where) + i;
    }
  }
  return nullptr;
}
// NOLINTEND(bugprone-easily-swappable-parameters)
}
