// The reset register: a rising edge of one bit resets.
#include "devices/reset_control.h"

#include <fmt/core.h>

namespace nestling {

namespace {

constexpr std::uint64_t kRegisterOffset = 1;  // 0xcf9 in the ports from 0xcf8

constexpr std::uint8_t kHard = 1U << 1;
constexpr std::uint8_t kReset = 1U << 2;
constexpr std::uint8_t kPowerCycle = 1U << 3;
constexpr std::uint8_t kWritable = kHard | kReset | kPowerCycle;

bool is_register(std::uint64_t offset, AccessWidth width) {
  return offset == kRegisterOffset && width.bytes() == 1;
}

}  // namespace

std::uint64_t ResetControl::read(std::uint64_t offset, AccessWidth width) {
  if (!is_register(offset, width)) {
    return width.all_ones();
  }
  const std::lock_guard lock(mutex_);
  return value_;
}

void ResetControl::write(std::uint64_t offset, AccessWidth width, std::uint64_t value) {
  if (!is_register(offset, width)) {
    return;
  }
  bool rises = false;
  {
    const std::lock_guard lock(mutex_);
    rises = (value & ~std::uint64_t{value_} & kReset) != 0;
    value_ = static_cast<std::uint8_t>(value & kWritable);
  }
  if (rises) {
    power_.reset(fmt::format("{} reset, {:#x} written to port 0xcf9",
                             (value & kHard) != 0 ? "hard" : "soft", value));
  }
}

}  // namespace nestling
