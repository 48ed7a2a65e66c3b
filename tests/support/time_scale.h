// How much longer than usual tests wait before they give something up: emulated machines are slow.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "base/check.h"

namespace nestling::testing {

/// The number in the environment variable NESTLING_TIME_SCALE, from 1 to 1000; 1 when there is
/// none. It stretches deadlines only, never what a test expects.
[[nodiscard]] inline int time_scale() {
  constexpr int kMost = 1000;
  const char* text = std::getenv("NESTLING_TIME_SCALE");
  if (text == nullptr) {
    return 1;
  }
  const std::string_view digits = text;
  int scale = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), scale);
  check(error == std::errc() && end == digits.end() && scale >= 1 && scale <= kMost,
        "NESTLING_TIME_SCALE is not a number from 1 to 1000");
  return scale;
}

/// `usual`, as long as it may take here.
[[nodiscard]] inline std::chrono::milliseconds scaled(std::chrono::milliseconds usual) {
  return usual * time_scale();
}

}  // namespace nestling::testing
