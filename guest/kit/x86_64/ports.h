// Port I/O, a width a type: `in<std::uint8_t>(port)`, `out(port, std::uint8_t{1})`.
#pragma once

#include <concepts>
#include <cstdint>

namespace nestling::guest::x86_64 {

/// A port's number: a type of its own, so that port and value cannot change places.
enum class Port : std::uint16_t {};

/// The port `offset` above `base`.
[[nodiscard]] constexpr Port operator+(Port base, std::uint16_t offset) {
  return static_cast<Port>(static_cast<std::uint16_t>(base) + offset);
}

template <typename T>
concept PortValue = std::same_as<T, std::uint8_t> || std::same_as<T, std::uint16_t> ||
    std::same_as<T, std::uint32_t>;

template <PortValue T>
[[nodiscard]] inline T in(Port port) {
  T value;
  // NOLINTNEXTLINE(bugprone-branch-clone): it does not look into the instructions.
  if constexpr (sizeof(T) == 1) {
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(static_cast<std::uint16_t>(port)) : "memory");
  } else if constexpr (sizeof(T) == 2) {
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(static_cast<std::uint16_t>(port)) : "memory");
  } else {
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(static_cast<std::uint16_t>(port)) : "memory");
  }
  return value;
}

template <PortValue T>
inline void out(Port port, T value) {
  // NOLINTNEXTLINE(bugprone-branch-clone): it does not look into the instructions.
  if constexpr (sizeof(T) == 1) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(static_cast<std::uint16_t>(port)) : "memory");
  } else if constexpr (sizeof(T) == 2) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(static_cast<std::uint16_t>(port)) : "memory");
  } else {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(static_cast<std::uint16_t>(port)) : "memory");
  }
}

}  // namespace nestling::guest::x86_64
