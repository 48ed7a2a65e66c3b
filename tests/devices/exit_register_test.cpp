// The exit register: every width ends the run with exactly the value written.
#include "devices/exit_register.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_power_switch.h"

namespace nestling {
namespace {

using Requests = std::vector<std::string>;

TEST(ExitRegister, EndsTheRunWithTheValueOfAByte) {
  FakePowerSwitch power;
  ExitRegister exit(power);
  exit.write(0, AccessWidth::of(1), 0x03);
  EXPECT_EQ(power.requests(), Requests{"exit 0x3"});
}

TEST(ExitRegister, TakesWideValuesWhole) {
  FakePowerSwitch power;
  ExitRegister exit(power);
  exit.write(0, AccessWidth::of(2), 0x1234);
  exit.write(0, AccessWidth::of(4), 0xfedc'ba98);
  exit.write(0, AccessWidth::of(8), 0xfedc'ba98'7654'3210);
  EXPECT_EQ(power.requests(),
            (Requests{"exit 0x1234", "exit 0xfedcba98", "exit 0xfedcba9876543210"}));
}

TEST(ExitRegister, EndsTheRunWhereverInItsRangeTheWriteLands) {
  FakePowerSwitch power;
  ExitRegister exit(power);
  exit.write(3, AccessWidth::of(1), 0);
  EXPECT_EQ(power.requests(), Requests{"exit 0x0"});
}

TEST(ExitRegister, ReadsZeroAndDoesNothing) {
  FakePowerSwitch power;
  ExitRegister exit(power);
  EXPECT_EQ(exit.read(0, AccessWidth::of(4)), 0U);
  EXPECT_TRUE(power.requests().empty());
}

}  // namespace
}  // namespace nestling
