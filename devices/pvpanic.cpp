// The two events of pvpanic.
#include "devices/pvpanic.h"

#include <fmt/core.h>

namespace nestling {

namespace {

constexpr std::uint8_t kPanicked = 1U << 0;
constexpr std::uint8_t kCrashLoaded = 1U << 1;

}  // namespace

std::uint8_t Pvpanic::read_byte(std::uint64_t /*offset*/) { return kPanicked | kCrashLoaded; }

void Pvpanic::write_byte(std::uint64_t /*offset*/, std::uint8_t value) {
  if ((value & kPanicked) != 0) {
    power_.panic(fmt::format("pvpanic event {:#x}", value));
  }
}

}  // namespace nestling
