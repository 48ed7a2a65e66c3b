// The formatting behind print().
#include "guest/kit/console.h"

namespace nestling::guest {
namespace {

/// 20 decimal digits, a sign and "0x" fit.
constexpr std::size_t kLongestNumber = 24;

}  // namespace

void Printable::write() const {
  if (kind_ == Kind::kText) {
    console_write(text_);
    return;
  }
  char buffer[kLongestNumber];
  std::size_t at = kLongestNumber;
  const unsigned base = kind_ == Kind::kHex ? 16 : 10;
  std::uint64_t rest = number_;
  unsigned digits = 0;
  while (rest != 0 || digits < digits_) {
    buffer[--at] = "0123456789abcdef"[rest % base];
    rest /= base;
    ++digits;
  }
  if (kind_ == Kind::kHex) {
    buffer[--at] = 'x';
    buffer[--at] = '0';
  } else if (kind_ == Kind::kNegative) {
    buffer[--at] = '-';
  }
  console_write({buffer + at, kLongestNumber - at});
}

void print_list(std::string_view format, const Printable* things, std::size_t thing_count) {
  std::size_t begin = 0;
  for (std::size_t next = 0; next < thing_count; ++next) {
    const std::size_t hole = format.find("{}", begin);
    if (hole == std::string_view::npos) {
      break;
    }
    console_write({format.data() + begin, hole - begin});
    things[next].write();
    begin = hole + 2;
  }
  console_write({format.data() + begin, format.size() - begin});
}

}  // namespace nestling::guest
