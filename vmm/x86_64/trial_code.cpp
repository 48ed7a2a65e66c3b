// Trial guests in x86_64 machine code.
#include "vmm/trial_code.h"

#include <array>

namespace nestling {

namespace {

constexpr std::array kDeviceWrites = {
    std::byte{0xe6}, std::byte{0x80},  // again: out 0x80, al
    std::byte{0xeb}, std::byte{0xfc},  // jmp again
};
constexpr std::array kHalts = {
    std::byte{0xf4},                   // again: hlt
    std::byte{0xeb}, std::byte{0xfd},  // jmp again
};

}  // namespace

TrialCode trial_code() {
  return {.architecture = Architecture::kX86_64,
          .address = GuestPhysAddr(0x10'0000),
          .device_writes = kDeviceWrites,
          .halts = kHalts};
}

}  // namespace nestling
