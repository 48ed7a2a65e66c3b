// Result<T, E>: a value or an error, which the compiler makes the caller look at.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <fmt/core.h>
#include <tl/expected.hpp>

#include "base/check.h"

namespace nestling {

/// Whose fault an error is, in the terms of the program's exit codes.
enum class ErrorKind : std::uint8_t {
  kUsage,        ///< the command line asks for something impossible (64)
  kBadImage,     ///< the image cannot be booted (65)
  kNoInput,      ///< an input file is missing or unreadable (66)
  kNoKvm,        ///< KVM is not usable here (69)
  kBug,          ///< ours (70)
  kHostRefused,  ///< the host refused something: memory, disk, a system call (71)
};

/// An error for a person: what was attempted, on what, with the numbers, and what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::kBug;
  std::string message;
};

/// Makes an Error from a fmt format string.
template <typename... Args>
[[nodiscard]] Error make_error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Error{kind, fmt::format(format, std::forward<Args>(args)...)};
}

/// kHostRefused with "`what`: " and the text of `error_number` (an errno value).
[[nodiscard]] Error host_error(std::string_view what, int error_number);

/// What a function returns to fail: `return failure(make_error(…))`. Converts to any Result with
/// that error.
template <typename E>
[[nodiscard]] tl::unexpected<std::decay_t<E>> failure(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

/// tl::expected with what Debian's version lacks: it must be used, and access is checked.
/// `T` may be void; a successful void result is written `return {};`.
template <typename T, typename E = Error>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  Result() = default;

  template <typename U = T>
  requires(!std::is_void_v<T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           std::is_constructible_v<tl::expected<T, E>, U>)
      // NOLINTNEXTLINE(google-explicit-constructor): `return value;` is the point of the type.
      Result(U&& value)
      : inner_(std::forward<U>(value)) {}

  template <typename G>
  requires std::is_constructible_v<E, G>
  // NOLINTNEXTLINE(google-explicit-constructor): `return failure(…);` is the point of the type.
  Result(tl::unexpected<G> error) : inner_(tl::unexpected<E>(std::move(error).value())) {}

  [[nodiscard]] bool has_value() const { return inner_.has_value(); }
  explicit operator bool() const { return inner_.has_value(); }

  /// The value; aborts when there is none.
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] U& value() & {
    check(has_value(), "value() of a failed Result");
    return *inner_;
  }
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] const U& value() const& {
    check(has_value(), "value() of a failed Result");
    return *inner_;
  }
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] U&& value() && {
    check(has_value(), "value() of a failed Result");
    return *std::move(inner_);
  }

  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] U& operator*() & { return value(); }
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] const U& operator*() const& { return value(); }
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] U&& operator*() && { return std::move(*this).value(); }
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] U* operator->() { return &value(); }
  template <typename U = T>
  requires(!std::is_void_v<U>) [[nodiscard]] const U* operator->() const { return &value(); }

  /// The error; aborts when there is none.
  [[nodiscard]] const E& error() const& {
    check(!has_value(), "error() of a successful Result");
    return inner_.error();
  }
  [[nodiscard]] E&& error() && {
    check(!has_value(), "error() of a successful Result");
    return std::move(inner_.error());
  }

 private:
  tl::expected<T, E> inner_;
};

}  // namespace nestling
