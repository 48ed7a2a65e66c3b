// The keyboard controller: what a probe asks, and the two ways to reset through it.
#include "devices/i8042.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_power_switch.h"

namespace nestling {
namespace {

using Requests = std::vector<std::string>;

constexpr std::uint64_t kOutputFull = 0x01;
constexpr std::uint64_t kTimedOut = 0x40;

class I8042Test : public testing::Test {
 protected:
  [[nodiscard]] std::uint64_t status() {
    return controller.command_port().read(0, AccessWidth::of(1));
  }
  void command(std::uint8_t value) {
    controller.command_port().write(0, AccessWidth::of(1), value);
  }
  [[nodiscard]] std::uint64_t in() { return controller.data_port().read(0, AccessWidth::of(1)); }
  void out(std::uint8_t value) { controller.data_port().write(0, AccessWidth::of(1), value); }

  FakePowerSwitch power;
  I8042 controller{power};
};

TEST_F(I8042Test, StartsWithItsSelfTestPassedAndNothingToSay) {
  EXPECT_EQ(status(), 0x14U);
  EXPECT_EQ(in(), 0x00U);
}

TEST_F(I8042Test, PassesItsSelfTest) {
  command(0xaa);
  EXPECT_EQ(status(), 0x1dU) << "output full, self test passed, last was a command, not locked";
  EXPECT_EQ(in(), 0x55U);
  EXPECT_EQ(status() & kOutputFull, 0U);
  EXPECT_EQ(in(), 0x55U) << "an empty buffer still shows its last byte";
}

TEST_F(I8042Test, KeepsItsCommandByte) {
  command(0x60);
  EXPECT_EQ(status() & 0x08, 0x08U);
  out(0x47);
  EXPECT_EQ(status() & 0x08, 0x00U);
  command(0x20);
  EXPECT_EQ(in(), 0x47U);
}

TEST_F(I8042Test, ShowsTheSystemFlagOfTheCommandByteInItsStatus) {
  command(0x60);
  out(0x00);
  EXPECT_EQ(status() & 0x04, 0x00U);
  command(0xaa);
  EXPECT_EQ(status() & 0x04, 0x04U);
}

TEST_F(I8042Test, KeepsAllOfItsMemory) {
  for (unsigned i = 0; i < 32; ++i) {
    command(static_cast<std::uint8_t>(0x60 + i));
    out(static_cast<std::uint8_t>(0xc0 + i));
  }
  for (unsigned i = 0; i < 32; ++i) {
    command(static_cast<std::uint8_t>(0x20 + i));
    EXPECT_EQ(in(), 0xc0 + i);
  }
}

TEST_F(I8042Test, SwitchesItsPortsInTheCommandByte) {
  command(0xad);
  command(0xa8);
  command(0x20);
  EXPECT_EQ(in(), 0x14U);
  command(0xae);
  command(0xa7);
  command(0x20);
  EXPECT_EQ(in(), 0x24U);
}

TEST_F(I8042Test, HasAKeyboardPortThatWorksAndAMousePortThatDoesNot) {
  command(0xab);
  EXPECT_EQ(in(), 0x00U);
  command(0xa9);
  EXPECT_EQ(in(), 0x01U);
}

TEST_F(I8042Test, TimesOutForAKeyboardThatIsNotThere) {
  out(0xff);
  EXPECT_EQ(status() & (kOutputFull | kTimedOut), kOutputFull | kTimedOut);
  EXPECT_EQ(in(), 0xfeU);
  EXPECT_EQ(status() & (kOutputFull | kTimedOut), 0U);
}

TEST_F(I8042Test, TimesOutForAMouseThatIsNotThere) {
  command(0xd4);
  out(0xf2);
  EXPECT_EQ(status() & kTimedOut, kTimedOut);
  EXPECT_EQ(in(), 0xfeU);
}

TEST_F(I8042Test, EchoesIntoItsOutputBufferButNeverAsAMouse) {
  command(0xd2);
  out(0x5a);
  EXPECT_EQ(in(), 0x5aU);
  command(0xd3);
  out(0xa5);
  EXPECT_EQ(status() & 0x21, 0x01U) << "bit 5 would be data of a mouse";
  EXPECT_EQ(in(), 0xa5U);
}

TEST_F(I8042Test, ShowsAndSwitchesA20) {
  command(0xd0);
  EXPECT_EQ(in(), 0x03U) << "A20 on, no reset";
  command(0xdd);
  command(0xd0);
  EXPECT_EQ(in(), 0x01U);
  command(0xdf);
  command(0xd0);
  EXPECT_EQ(in(), 0x03U);
  command(0xd1);
  out(0x01);
  command(0xd0);
  EXPECT_EQ(in(), 0x01U);
  EXPECT_TRUE(power.requests().empty());
}

TEST_F(I8042Test, ReadsTheInputPort) {
  command(0xc0);
  EXPECT_EQ(in(), 0x80U);
}

TEST_F(I8042Test, ResetsByPulsingItsOutput) {
  command(0xfe);
  EXPECT_EQ(power.requests(), Requests{"reset: i8042 command 0xfe"});
}

TEST_F(I8042Test, DoesNotResetByPulsingOtherLines) {
  command(0xff);
  command(0xf1);
  EXPECT_TRUE(power.requests().empty());
}

TEST_F(I8042Test, ResetsThroughItsOutputPort) {
  command(0xd1);
  out(0xfe);
  EXPECT_EQ(power.requests(), Requests{"reset: i8042 output port 0xfe"});
}

TEST_F(I8042Test, ForgetsACommandWhoseArgumentNeverCame) {
  command(0xd1);
  command(0xaa);
  out(0x00);
  EXPECT_TRUE(power.requests().empty());
}

TEST_F(I8042Test, DoesNotAnswerCommandsItDoesNotKnow) {
  command(0x00);
  command(0xb5);
  EXPECT_EQ(status() & kOutputFull, 0U);
}

}  // namespace
}  // namespace nestling
