// Words from a kernel to its console, with tiny formatting: `print("{} of {}\n", 3, hex(7))`.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nestling::guest {

/// Puts raw bytes on the console. Defined by the architecture; waits until the UART took them.
void console_write(std::string_view bytes);

/// A number to be printed as 0x… with at least `digits` digits.
struct Hex {
  std::uint64_t value;
  unsigned digits;
};
[[nodiscard]] constexpr Hex hex(std::uint64_t value) { return Hex{value, 1}; }
/// With all 16 digits, for columns of registers.
[[nodiscard]] constexpr Hex hex16(std::uint64_t value) { return Hex{value, 16}; }

/// A number to be printed with at least two digits, as in dates.
struct TwoDigits {
  std::uint64_t value;
};

/// One thing to print: text, a number, or what the structures above ask for.
class Printable {
 public:
  // NOLINTBEGIN(google-explicit-constructor): made from what is printed, at the call of print().
  constexpr Printable(std::string_view text) : kind_(Kind::kText), text_(text) {}
  constexpr Printable(const char* text) : kind_(Kind::kText), text_(text) {}
  template <std::unsigned_integral T>
  constexpr Printable(T value) : number_(value) {}
  template <std::signed_integral T>
  constexpr Printable(T value)
      : kind_(value < 0 ? Kind::kNegative : Kind::kDecimal),
        number_(value < 0 ? 0 - static_cast<std::uint64_t>(value)
                          : static_cast<std::uint64_t>(value)) {}
  constexpr Printable(Hex hex) : kind_(Kind::kHex), digits_(hex.digits), number_(hex.value) {}
  constexpr Printable(TwoDigits two) : digits_(2), number_(two.value) {}
  // NOLINTEND(google-explicit-constructor)

  void write() const;

 private:
  enum class Kind : std::uint8_t { kText, kDecimal, kNegative, kHex };

  Kind kind_ = Kind::kDecimal;
  unsigned digits_ = 1;
  std::uint64_t number_ = 0;
  std::string_view text_;
};

/// `things` printed into the `{}` of `format`; a `{}` too many stays as it is.
void print_list(std::string_view format, const Printable* things, std::size_t thing_count);

/// Prints `format` with each `{}` replaced by the next of `things`.
template <typename... Things>
void print(std::string_view format, const Things&... things) {
  if constexpr (sizeof...(things) == 0) {
    print_list(format, nullptr, 0);
  } else {
    const Printable list[] = {Printable(things)...};
    print_list(format, list, sizeof...(things));
  }
}

}  // namespace nestling::guest
