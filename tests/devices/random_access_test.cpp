// All devices under accesses nobody planned: every width everywhere, and seeded random programs.
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/device_zoo.h"

namespace nestling {
namespace {

class RandomAccess : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(RandomAccess, BreaksNoPromiseOfAnyDevice) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  std::printf("seed %u\n", GetParam());
  std::mt19937 generator(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint8_t> program(4096);
    for (std::uint8_t& byte : program) {
      byte = static_cast<std::uint8_t>(generator());
    }
    DeviceZoo zoo;
    zoo.run(program);
    zoo.check_that_all_can_be_silenced();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomAccess, ::testing::Values(1, 2, 3, 4, 5));

TEST(EveryAccess, OfEveryWidthAtEveryByteOfEveryDeviceIsSurvived) {
  for (const std::uint8_t operation : {std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{4}}) {
    for (unsigned where = 0; where < 256; ++where) {
      for (const unsigned how : {0x00U, 0x01U, 0x02U, 0x03U, 0x04U, 0x05U, 0x06U, 0x07U, 0x80U,
                                 0x81U, 0x82U, 0x83U, 0x84U, 0x85U, 0x86U, 0x87U}) {
        std::vector<std::uint8_t> program = {operation, static_cast<std::uint8_t>(where),
                                             static_cast<std::uint8_t>(how)};
        program.resize(3 + 8, 0xff);
        DeviceZoo zoo;
        zoo.run(program);
        zoo.check_that_all_can_be_silenced();
      }
    }
  }
}

}  // namespace
}  // namespace nestling
