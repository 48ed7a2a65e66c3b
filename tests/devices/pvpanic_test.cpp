// pvpanic: what it understands, what ends the run and what does not.
#include "devices/pvpanic.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_power_switch.h"

namespace nestling {
namespace {

using Requests = std::vector<std::string>;

TEST(Pvpanic, SaysThatItUnderstandsPanicsAndCrashKernels) {
  FakePowerSwitch power;
  Pvpanic pvpanic(power);
  EXPECT_EQ(pvpanic.read(0, AccessWidth::of(1)), 0x03U);
}

TEST(Pvpanic, ReportsAPanic) {
  FakePowerSwitch power;
  Pvpanic pvpanic(power);
  pvpanic.write(0, AccessWidth::of(1), 0x01);
  EXPECT_EQ(power.requests(), Requests{"panic: pvpanic event 0x1"});
}

TEST(Pvpanic, LetsACrashKernelGoOn) {
  FakePowerSwitch power;
  Pvpanic pvpanic(power);
  pvpanic.write(0, AccessWidth::of(1), 0x02);
  EXPECT_TRUE(power.requests().empty());
}

TEST(Pvpanic, IgnoresEventsItDoesNotKnow) {
  FakePowerSwitch power;
  Pvpanic pvpanic(power);
  pvpanic.write(0, AccessWidth::of(1), 0x00);
  pvpanic.write(0, AccessWidth::of(1), 0xfc);
  EXPECT_TRUE(power.requests().empty());
}

}  // namespace
}  // namespace nestling
