// The PL031: the time it tells, its alarm, and what ends it (Arm DDI 0224).
#include "devices/pl031.h"

#include <gtest/gtest.h>

#include "tests/support/fake_irq_line.h"
#include "tests/support/fake_time.h"

namespace nestling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kNow = 1'700'000'000;

class Pl031Test : public testing::Test {
 protected:
  static constexpr std::uint64_t kDr = 0x00;
  static constexpr std::uint64_t kMr = 0x04;
  static constexpr std::uint64_t kLr = 0x08;
  static constexpr std::uint64_t kCr = 0x0c;
  static constexpr std::uint64_t kImsc = 0x10;
  static constexpr std::uint64_t kRis = 0x14;
  static constexpr std::uint64_t kMis = 0x18;
  static constexpr std::uint64_t kIcr = 0x1c;

  [[nodiscard]] std::uint64_t in(std::uint64_t offset) {
    return rtc.read(offset, AccessWidth::of(4));
  }
  void out(std::uint64_t offset, std::uint32_t value) {
    rtc.write(offset, AccessWidth::of(4), value);
  }

  FakeTime time{WallTime(seconds(kNow)) + milliseconds(250)};
  FakeIrqLine line;
  Pl031 rtc{time, time, line};
};

TEST_F(Pl031Test, TellsTheSecondsOfTheClock) {
  EXPECT_EQ(in(kDr), kNow);
  time.pass(milliseconds(749));
  EXPECT_EQ(in(kDr), kNow);
  time.pass(milliseconds(1));
  EXPECT_EQ(in(kDr), kNow + 1);
}

TEST_F(Pl031Test, IsStartedAndStaysSo) {
  EXPECT_EQ(in(kCr), 1U);
  out(kCr, 0);
  EXPECT_EQ(in(kCr), 1U);
  time.pass(seconds(5));
  EXPECT_EQ(in(kDr), kNow + 5);
}

TEST_F(Pl031Test, StartsWithoutAlarm) {
  for (const std::uint64_t offset : {kMr, kLr, kImsc, kRis, kMis}) {
    EXPECT_EQ(in(offset), 0U) << offset;
  }
  EXPECT_FALSE(rtc.may_interrupt());
  EXPECT_FALSE(time.is_armed());
}

TEST_F(Pl031Test, CountsOnFromWhatIsLoaded) {
  out(kLr, 1000);
  EXPECT_EQ(in(kLr), 1000U);
  EXPECT_EQ(in(kDr), 1000U);
  time.pass(seconds(3));
  EXPECT_EQ(in(kDr), 1003U);
  EXPECT_EQ(in(kLr), 1000U) << "what was written last";
}

TEST_F(Pl031Test, WrapsAround) {
  out(kLr, 0xffff'ffff);
  time.pass(seconds(2));
  EXPECT_EQ(in(kDr), 1U);
}

TEST_F(Pl031Test, IgnoresWritesToWhatIsReadOnly) {
  out(kDr, 5);
  out(kRis, 1);
  out(kMis, 1);
  EXPECT_EQ(in(kDr), kNow);
  EXPECT_EQ(in(kRis), 0U);
}

TEST_F(Pl031Test, RaisesTheAlarmInItsSecondUntilItIsCleared) {
  out(kMr, kNow + 2);
  out(kImsc, 1);
  EXPECT_TRUE(rtc.may_interrupt());
  time.pass(milliseconds(1749));
  EXPECT_FALSE(line.is_high());
  time.pass(milliseconds(1));
  EXPECT_TRUE(line.is_high()) << "though the guest did nothing";
  EXPECT_EQ(in(kRis), 1U);
  EXPECT_EQ(in(kMis), 1U);
  EXPECT_FALSE(rtc.may_interrupt()) << "it has come";
  time.pass(seconds(10));
  EXPECT_TRUE(line.is_high());
  out(kIcr, 0);
  EXPECT_TRUE(line.is_high()) << "only a 1 clears it";
  out(kIcr, 1);
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(in(kRis), 0U);
  EXPECT_TRUE(rtc.may_interrupt()) << "again in 136 years";
}

TEST_F(Pl031Test, KeepsAMaskedAlarmInTheRawStatus) {
  out(kMr, kNow + 1);
  time.pass(seconds(2));
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(in(kRis), 1U);
  EXPECT_EQ(in(kMis), 0U);
  out(kImsc, 1);
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kMis), 1U);
  out(kImsc, 0);
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(in(kRis), 1U);
}

TEST_F(Pl031Test, MatchesTheSecondThatIsNow) {
  out(kImsc, 1);
  out(kMr, kNow);
  EXPECT_TRUE(line.is_high());
  out(kIcr, 1);
  out(kMr, 77);
  EXPECT_FALSE(line.is_high());
  out(kLr, 77);
  EXPECT_TRUE(line.is_high());
}

TEST_F(Pl031Test, WaitsForAnAlarmInThePastUntilTheCounterHasWrapped) {
  out(kImsc, 1);
  out(kMr, kNow - 1);
  time.pass(seconds(100'000));
  EXPECT_FALSE(line.is_high());
  EXPECT_TRUE(time.is_armed());
}

TEST_F(Pl031Test, FollowsALoadedTimeWithItsAlarm) {
  out(kMr, 1005);
  out(kImsc, 1);
  out(kLr, 1000);
  time.pass(seconds(4));
  EXPECT_FALSE(line.is_high());
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high());
}

TEST_F(Pl031Test, SeesAnAlarmThatPassedWhileTheHostWasBusy) {
  out(kMr, kNow + 2);
  time.pass_unnoticed(seconds(60));
  EXPECT_EQ(in(kRis), 1U);
}

TEST_F(Pl031Test, ArmsNoTimerForNothing) {
  out(kMr, kNow + 2);
  EXPECT_FALSE(time.is_armed());
  out(kImsc, 1);
  EXPECT_TRUE(time.is_armed());
  out(kImsc, 0);
  EXPECT_FALSE(time.is_armed());
}

TEST_F(Pl031Test, SaysWhatItIs) {
  const std::uint64_t ids[] = {0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(in(0xfe0 + 4 * i), ids[i]) << i;
  }
  EXPECT_EQ(in(0xfdc), 0U);
}

TEST_F(Pl031Test, AnswersOtherWidthsAsWords) {
  EXPECT_EQ(rtc.read(kDr, AccessWidth::of(2)), kNow & 0xffff);
  EXPECT_EQ(rtc.read(kDr + 2, AccessWidth::of(2)), 0U) << "no register begins there";
  out(kMr, 7);
  EXPECT_EQ(rtc.read(kDr, AccessWidth::of(8)), kNow | 7ULL << 32);
  rtc.write(kMr, AccessWidth::of(8), 9ULL << 32 | 8);
  EXPECT_EQ(in(kMr), 8U);
  EXPECT_EQ(in(kLr), 9U);
}

TEST_F(Pl031Test, LeavesNoTimerBehind) {
  {
    Pl031 other(time, time, line);
    other.write(kImsc, AccessWidth::of(4), 1);
    EXPECT_TRUE(time.is_armed());
  }
  EXPECT_FALSE(time.is_armed());
}

}  // namespace
}  // namespace nestling
