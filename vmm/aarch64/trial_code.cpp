// Trial guests in arm64 machine code.
#include "vmm/trial_code.h"

#include <array>

#include "guest/abi.h"

namespace nestling {

namespace {

static_assert(guest::kMmioPvpanic == 0x0903'0000);

/// With no machine around it, every device's address serves.
constexpr std::array kDeviceWrites = {
    std::byte{0x60}, std::byte{0x20}, std::byte{0xa1}, std::byte{0xd2},  // mov x0, #0x9030000
    std::byte{0x1f}, std::byte{0x00}, std::byte{0x00}, std::byte{0x39},  // again: strb wzr, [x0]
    std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0x17},  // b again
};

}  // namespace

TrialCode trial_code() {
  return {.architecture = Architecture::kAarch64,
          .address = GuestPhysAddr(0x4010'0000),
          .device_writes = kDeviceWrites,
          .halts = {}};
}

}  // namespace nestling
