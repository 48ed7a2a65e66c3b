// The tiny guests in arm64 machine code.
#include "tests/support/tiny_programs.h"

#include <array>
#include <cstdint>

#include "guest/abi.h"

namespace nestling {

namespace {

static_assert(guest::kMmioPl011 == 0x0900'0000);
static_assert(guest::kMmioExit == 0xd000'0000);

constexpr std::array<std::uint32_t, 1> kSpin = {0x1400'0000};         // b .
constexpr std::array<std::uint32_t, 3> kHaltForGood = {0xd503'4fdf,   // msr daifset, #15
                                                       0xd503'207f,   // again: wfi
                                                       0x17ff'ffff};  // b again
constexpr std::array<std::uint32_t, 9> kWriteMany = {0xd2a1'2000,     // mov x0, #0x9000000
                                                     0x5280'2581,     // mov w1, #300
                                                     0x3900'0001,     // again: strb w1, [x0]
                                                     0x7100'0421,     // subs w1, w1, #1
                                                     0x54ff'ffc1,     // b.ne again
                                                     0xd2ba'0000,     // mov x0, #0xd0000000
                                                     0x5280'00e1,     // mov w1, #7
                                                     0xb900'0001,     // str w1, [x0]
                                                     0x1400'0000};    // b .

}  // namespace

TinyPrograms tiny_programs() {
  return {.architecture = Architecture::kAarch64,
          .address = GuestPhysAddr(0x4010'0000),
          .spin = std::as_bytes(std::span(kSpin)),
          .halt_for_good = std::as_bytes(std::span(kHaltForGood)),
          .write_many = std::as_bytes(std::span(kWriteMany))};
}

}  // namespace nestling
