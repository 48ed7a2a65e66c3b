// The tiny guests in x86_64 machine code.
#include "tests/support/tiny_programs.h"

#include <array>
#include <cstdint>

namespace nestling {

namespace {

constexpr std::array<std::uint8_t, 2> kSpin = {0xeb, 0xfe};         // jmp .
constexpr std::array<std::uint8_t, 4> kHaltForGood = {0xfa, 0xf4,   // cli; again: hlt
                                                      0xeb, 0xfd};  // jmp again
constexpr std::array<std::uint8_t, 14> kWriteMany = {0xb9, 0x2c, 0x01, 0x00, 0x00,  // mov ecx, 300
                                                     0xe6, 0xe9,                    // out 0xe9, al
                                                     0xe2, 0xfc,  // loop back to the out
                                                     0xb0, 0x07,  // mov al, 7
                                                     0xe6, 0xf4,  // out 0xf4, al
                                                     0xf4};       // hlt

}  // namespace

TinyPrograms tiny_programs() {
  return {.architecture = Architecture::kX86_64,
          .address = GuestPhysAddr(0x10'0000),
          .spin = std::as_bytes(std::span(kSpin)),
          .halt_for_good = std::as_bytes(std::span(kHaltForGood)),
          .write_many = std::as_bytes(std::span(kWriteMany))};
}

}  // namespace nestling
