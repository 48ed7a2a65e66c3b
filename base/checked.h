// Arithmetic on numbers that a guest or a file chose: the result, or nothing when it wraps.
#pragma once

#include <concepts>
#include <optional>

namespace nestling {

/// a + b, or nothing when the sum does not fit in T.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, std::type_identity_t<T> b) {
  T sum{};
  if (__builtin_add_overflow(a, b, &sum)) {
    return std::nullopt;
  }
  return sum;
}

/// a - b, or nothing when b is larger.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_sub(T a, std::type_identity_t<T> b) {
  T difference{};
  if (__builtin_sub_overflow(a, b, &difference)) {
    return std::nullopt;
  }
  return difference;
}

/// a * b, or nothing when the product does not fit in T.
template <std::unsigned_integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, std::type_identity_t<T> b) {
  T product{};
  if (__builtin_mul_overflow(a, b, &product)) {
    return std::nullopt;
  }
  return product;
}

}  // namespace nestling
