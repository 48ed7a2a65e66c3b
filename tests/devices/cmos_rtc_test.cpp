// The CMOS clock: its time, the guest's time, its memory, and interrupts that arrive when due.
#include "devices/cmos_rtc.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_irq_line.h"
#include "tests/support/fake_time.h"

namespace nestling {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year;

/// Saturday, 28 February 2032, 23:59:50.
constexpr WallTime kStart = sys_days(year(2032) / 2 / 28) + hours(23) + minutes(59) + seconds(50);

constexpr std::uint64_t kKib = 1024;
constexpr std::uint64_t kMib = 1024 * kKib;

class CmosRtcTest : public testing::Test {
 protected:
  [[nodiscard]] int in(std::uint8_t index) {
    rtc.write(0, AccessWidth::of(1), index);
    return static_cast<int>(rtc.read(1, AccessWidth::of(1)));
  }
  void out(std::uint8_t index, std::uint8_t value) {
    rtc.write(0, AccessWidth::of(1), index);
    rtc.write(1, AccessWidth::of(1), value);
  }
  /// Century, year, month, day, hour, minute, second as the registers show them.
  [[nodiscard]] std::vector<int> shown() {
    return {in(0x32), in(0x09), in(0x08), in(0x07), in(0x04), in(0x02), in(0x00)};
  }
  /// As a driver sets the time: stopped meanwhile. 19:44:07 on 16 July 1969, in BCD.
  void set_time() {
    out(0x0b, 0x82);
    out(0x32, 0x19);
    out(0x09, 0x69);
    out(0x08, 0x07);
    out(0x07, 0x16);
    out(0x06, 0x04);
    out(0x04, 0x19);
    out(0x02, 0x44);
    out(0x00, 0x07);
    out(0x0b, 0x02);
  }

  FakeTime time{kStart};
  FakeIrqLine line;
  CmosRtc rtc{time, time, line, {.below_4gib = 128 * kMib, .above_4gib = 0}};
};

using Shown = std::vector<int>;

TEST_F(CmosRtcTest, ShowsTheTimeInBcdAnd24Hours) {
  EXPECT_EQ(shown(), (Shown{0x20, 0x32, 0x02, 0x28, 0x23, 0x59, 0x50}));
  EXPECT_EQ(in(0x06), 0x07) << "Saturday";
  EXPECT_EQ(in(0x0b), 0x02);
}

TEST_F(CmosRtcTest, ShowsTheTimeInBinaryAnd12HoursWhenAsked) {
  out(0x0b, 0x04);
  EXPECT_EQ(shown(), (Shown{20, 32, 2, 28, 0x80 + 11, 59, 50}));
}

TEST_F(CmosRtcTest, CarriesIntoALeapDay) {
  time.pass(seconds(10));
  EXPECT_EQ(shown(), (Shown{0x20, 0x32, 0x02, 0x29, 0x00, 0x00, 0x00}));
  EXPECT_EQ(in(0x06), 0x01) << "Sunday";
}

TEST_F(CmosRtcTest, KeepsTheTimeThatTheGuestSets) {
  set_time();
  EXPECT_EQ(shown(), (Shown{0x19, 0x69, 0x07, 0x16, 0x19, 0x44, 0x07}));
  EXPECT_EQ(in(0x06), 0x04) << "Wednesday";
  time.pass(hours(24) + seconds(1));
  EXPECT_EQ(shown(), (Shown{0x19, 0x69, 0x07, 0x17, 0x19, 0x44, 0x08}));
  EXPECT_EQ(in(0x06), 0x05);
}

TEST_F(CmosRtcTest, ReadsBackWhatIsWrittenWhileTheTimeIsStopped) {
  out(0x0b, 0x82);
  const std::vector<std::uint8_t> registers = {0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32};
  for (const std::uint8_t index : registers) {
    out(index, static_cast<std::uint8_t>(0xe0 + index));
  }
  time.pass(seconds(5));
  for (const std::uint8_t index : registers) {
    EXPECT_EQ(in(index), (0xe0 + index) & 0xff);
  }
}

TEST_F(CmosRtcTest, StandsStillWhileTheTimeIsStopped) {
  out(0x0b, 0x82);
  time.pass(seconds(100));
  EXPECT_EQ(in(0x00), 0x50);
  out(0x0b, 0x02);
  EXPECT_EQ(in(0x00), 0x50);
  time.pass(seconds(1));
  EXPECT_EQ(in(0x00), 0x51);
}

TEST_F(CmosRtcTest, TakesAPartOfTheTimeWhileItRuns) {
  out(0x02, 0x07);
  EXPECT_EQ(shown(), (Shown{0x20, 0x32, 0x02, 0x28, 0x23, 0x07, 0x50}));
  time.pass(seconds(11));
  EXPECT_EQ(shown(), (Shown{0x20, 0x32, 0x02, 0x28, 0x23, 0x08, 0x01}));
}

TEST_F(CmosRtcTest, BeginsItsFirstSecondHalfwayWhenTheDividerIsReleased) {
  time.pass(milliseconds(300));
  out(0x0a, 0x66);
  time.pass(seconds(10));
  EXPECT_EQ(in(0x00), 0x50) << "a divider in reset stops the time";
  out(0x0a, 0x26);
  time.pass(milliseconds(499));
  EXPECT_EQ(in(0x00), 0x50);
  time.pass(milliseconds(1));
  EXPECT_EQ(in(0x00), 0x51);
  time.pass(milliseconds(999));
  EXPECT_EQ(in(0x00), 0x51);
  time.pass(milliseconds(1));
  EXPECT_EQ(in(0x00), 0x52);
}

TEST_F(CmosRtcTest, AnnouncesAnUpdateBeforeItHappens) {
  EXPECT_EQ(in(0x0a), 0x26);
  time.pass(microseconds(997'700));
  EXPECT_EQ(in(0x0a), 0x26);
  time.pass(microseconds(100));  // 244 µs of warning and 1984 µs of update are left
  EXPECT_EQ(in(0x0a), 0xa6);
  EXPECT_EQ(in(0x00), 0x50);
  time.pass(microseconds(2'200));
  EXPECT_EQ(in(0x0a), 0x26);
  EXPECT_EQ(in(0x00), 0x51);
}

TEST_F(CmosRtcTest, AnnouncesNoUpdateWhileTheTimeIsStopped) {
  time.pass(microseconds(999'000));
  EXPECT_EQ(in(0x0a), 0xa6);
  out(0x0b, 0x82);
  EXPECT_EQ(in(0x0a), 0x26);
}

TEST_F(CmosRtcTest, StandsStillWhileItsClockGoesBack) {
  time.pass_unnoticed(-seconds(20));
  EXPECT_EQ(in(0x00), 0x50);
  time.pass_unnoticed(seconds(21));
  EXPECT_EQ(in(0x00), 0x51);
}

TEST_F(CmosRtcTest, SaysThatItsBatteryIsGoodWhateverIsWritten) {
  EXPECT_EQ(in(0x0d), 0x80);
  out(0x0d, 0x00);
  EXPECT_EQ(in(0x0d), 0x80);
}

TEST_F(CmosRtcTest, SelectsBy7BitsAndDoesNotShowTheIndex) {
  out(0x80 | 0x50, 0x11);  // bit 7 masks the NMI of a PC
  EXPECT_EQ(in(0x50), 0x11);
  EXPECT_EQ(rtc.read(0, AccessWidth::of(1)), 0xffU);
}

TEST_F(CmosRtcTest, TakesIndexAndDataInOneWideWrite) {
  rtc.write(0, AccessWidth::of(2), 0x7751);
  EXPECT_EQ(in(0x51), 0x77);
}

TEST_F(CmosRtcTest, RemembersItsOtherBytes) {
  for (int index = 0x0e; index < 0x80; ++index) {
    if (index != 0x32) {
      out(static_cast<std::uint8_t>(index), static_cast<std::uint8_t>(index ^ 0x5a));
    }
  }
  for (int index = 0x0e; index < 0x80; ++index) {
    if (index != 0x32) {
      EXPECT_EQ(in(static_cast<std::uint8_t>(index)), index ^ 0x5a) << index;
    }
  }
}

TEST_F(CmosRtcTest, TellsTheSizeOfMemory) {
  EXPECT_EQ(in(0x15) | in(0x16) << 8, 640) << "KiB below 640 KiB";
  EXPECT_EQ(in(0x17) | in(0x18) << 8, 0xffff) << "KiB above 1 MiB, as far as they can be told";
  EXPECT_EQ(in(0x30) | in(0x31) << 8, 0xffff);
  EXPECT_EQ(in(0x34) | in(0x35) << 8, 112 * 16) << "64 KiB above 16 MiB";
  EXPECT_EQ(in(0x5b) | in(0x5c) << 8 | in(0x5d) << 16, 0) << "64 KiB above 4 GiB";
}

TEST(CmosRtc, TellsTheSizeOfSmallAndOfLargeMemory) {
  FakeTime time(kStart);
  FakeIrqLine line;
  const auto sizes = [&](CmosRtc::MemorySizes memory) {
    CmosRtc rtc(time, time, line, memory);
    std::vector<int> bytes;
    for (const int index : {0x16, 0x15, 0x18, 0x17, 0x35, 0x34, 0x5d, 0x5c, 0x5b}) {
      rtc.write(0, AccessWidth::of(1), static_cast<std::uint64_t>(index));
      bytes.push_back(static_cast<int>(rtc.read(1, AccessWidth::of(1))));
    }
    return bytes;
  };
  EXPECT_EQ(sizes({.below_4gib = 512 * kKib, .above_4gib = 0}),
            (std::vector<int>{0x02, 0x00, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(sizes({.below_4gib = 2 * kMib, .above_4gib = 0}),
            (std::vector<int>{0x02, 0x80, 0x04, 0x00, 0, 0, 0, 0, 0}));
  EXPECT_EQ(sizes({.below_4gib = 3072 * kMib, .above_4gib = 5120 * kMib}),
            (std::vector<int>{0x02, 0x80, 0xff, 0xff, 0xbf, 0x00, 0x01, 0x40, 0x00}));
  EXPECT_EQ(sizes({.below_4gib = 3072 * kMib, .above_4gib = ~0ULL}),
            (std::vector<int>{0x02, 0x80, 0xff, 0xff, 0xbf, 0x00, 0xff, 0xff, 0xff}));
}

using CmosRtcInterrupts = CmosRtcTest;

TEST_F(CmosRtcInterrupts, AreOffAtFirst) {
  time.pass(hours(48));
  EXPECT_FALSE(line.is_high());
  EXPECT_FALSE(time.is_armed());
  EXPECT_FALSE(rtc.may_interrupt());
}

TEST_F(CmosRtcInterrupts, FlagWhatHappensEvenWhileDisabled) {
  out(0x0a, 0x20);
  (void)in(0x0c);
  time.pass_unnoticed(seconds(1));
  EXPECT_EQ(in(0x0c), 0x10) << "an update";
  EXPECT_EQ(in(0x0c), 0x00) << "reading clears";
  out(0x0a, 0x26);
  time.pass_unnoticed(milliseconds(1));
  EXPECT_EQ(in(0x0c), 0x40) << "a period";
  out(0x0a, 0x20);
  time.pass_unnoticed(seconds(9));
  EXPECT_EQ(in(0x0c), 0x30) << "midnight: an alarm, and updates";
}

TEST_F(CmosRtcInterrupts, ComeWithEachUpdate) {
  out(0x0a, 0x20);
  out(0x0b, 0x12);
  EXPECT_TRUE(rtc.may_interrupt());
  time.pass(milliseconds(999));
  EXPECT_FALSE(line.is_high());
  time.pass(milliseconds(1));
  EXPECT_TRUE(line.is_high());
  EXPECT_FALSE(rtc.may_interrupt()) << "none follows until this one is acknowledged";
  EXPECT_EQ(in(0x0c), 0x90);
  EXPECT_FALSE(line.is_high());
  EXPECT_TRUE(rtc.may_interrupt());
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high());
}

TEST_F(CmosRtcInterrupts, ComeAtTheAlarm) {
  out(0x0a, 0x20);
  out(0x01, 0x05);
  out(0x03, 0x00);
  out(0x05, 0x00);
  out(0x0b, 0x22);
  time.pass(seconds(14));
  EXPECT_FALSE(line.is_high());
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(0x0c), 0xb0);
  time.pass(hours(24) - seconds(1));
  EXPECT_FALSE(line.is_high());
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high()) << "and again the next day";
}

TEST_F(CmosRtcInterrupts, ComeAtAnAlarmInTheGuestsTime) {
  set_time();
  out(0x01, 0x00);
  out(0x03, 0x00);
  out(0x05, 0x20);
  out(0x0b, 0x22);
  time.pass(minutes(15) + seconds(52));
  EXPECT_FALSE(line.is_high());
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high());
}

TEST_F(CmosRtcInterrupts, NeverComeFromAnAlarmThatNamesNoTime) {
  out(0x05, 0x99);
  out(0x0b, 0x22);
  EXPECT_FALSE(rtc.may_interrupt());
  EXPECT_FALSE(time.is_armed());
}

TEST_F(CmosRtcInterrupts, ComeBeforeTheAlarmOrTheUpdateWhicheverIsFirst) {
  out(0x0a, 0x2f);  // twice a second
  out(0x0b, 0x72);
  time.pass(milliseconds(500));
  EXPECT_EQ(in(0x0c), 0xc0);
  time.pass(milliseconds(500));
  EXPECT_EQ(in(0x0c), 0xd0);
}

struct Rate {
  std::uint8_t setting;
  int per_second;
};

class CmosRtcRates : public CmosRtcTest, public testing::WithParamInterface<Rate> {};

TEST_P(CmosRtcRates, GiveSoManyInterruptsASecond) {
  out(0x0a, static_cast<std::uint8_t>(0x20 | GetParam().setting));
  out(0x0b, 0x42);
  // Steps no interrupt is shorter than.
  for (int i = 0; i < 2 * 8192; ++i) {
    time.pass(nanoseconds(1'000'000'000 / 8192));
    if (line.is_high()) {
      EXPECT_EQ(in(0x0c) & 0xc0, 0xc0);
    }
  }
  EXPECT_NEAR(line.take_rising_edges(), 2 * GetParam().per_second, 1);
}

INSTANTIATE_TEST_SUITE_P(All, CmosRtcRates,
                         testing::Values(Rate{1, 256}, Rate{2, 128}, Rate{3, 8192}, Rate{4, 4096},
                                         Rate{5, 2048}, Rate{6, 1024}, Rate{7, 512}, Rate{8, 256},
                                         Rate{9, 128}, Rate{10, 64}, Rate{11, 32}, Rate{12, 16},
                                         Rate{13, 8}, Rate{14, 4}, Rate{15, 2}));

TEST_F(CmosRtcInterrupts, HaveNoPeriodAtRateZero) {
  out(0x0a, 0x20);
  out(0x0b, 0x42);
  EXPECT_FALSE(rtc.may_interrupt());
  time.pass(seconds(10));
  EXPECT_FALSE(line.is_high());
}

TEST_F(CmosRtcInterrupts, DoNotComeFromADividerInReset) {
  out(0x0a, 0x66);
  out(0x0b, 0x72);
  EXPECT_FALSE(rtc.may_interrupt());
  time.pass(hours(25));
  EXPECT_FALSE(line.is_high());
}

TEST_F(CmosRtcInterrupts, KeepTheirPeriodWhileTheTimeIsStopped) {
  out(0x0b, 0xc2);
  time.pass(milliseconds(1));
  EXPECT_TRUE(line.is_high());
}

TEST_F(CmosRtcInterrupts, LoseTheUpdateEnableWhenTheTimeIsStopped) {
  out(0x0b, 0x92);
  EXPECT_EQ(in(0x0b), 0x82);
  EXPECT_FALSE(rtc.may_interrupt());
}

TEST_F(CmosRtcInterrupts, ComeAtOnceForAFlagThatWaitedForItsEnable) {
  time.pass_unnoticed(seconds(1));
  out(0x0b, 0x12);
  EXPECT_TRUE(line.is_high());
}

TEST_F(CmosRtcInterrupts, EndWhenTheyAreDisabled) {
  out(0x0b, 0x12);
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high());
  out(0x0b, 0x02);
  EXPECT_FALSE(line.is_high());
  EXPECT_FALSE(time.is_armed());
}

TEST_F(CmosRtcInterrupts, SurviveATimerThatExpiresEarly) {
  out(0x0b, 0x12);
  rtc.timer_expired();
  EXPECT_FALSE(line.is_high());
  time.pass(seconds(1));
  EXPECT_TRUE(line.is_high());
}

TEST_F(CmosRtcInterrupts, ComeOnceForALongTimeUnnoticed) {
  out(0x0b, 0x72);
  time.pass_unnoticed(hours(50));
  time.pass(nanoseconds(0));
  EXPECT_EQ(line.take_rising_edges(), 1);
  EXPECT_EQ(in(0x0c), 0xf0);
}

TEST(CmosRtc, LeavesNoTimerBehind) {
  FakeTime time(kStart);
  FakeIrqLine line;
  {
    CmosRtc rtc(time, time, line, {});
    rtc.write(0, AccessWidth::of(2), 0x120b);
    EXPECT_TRUE(time.is_armed());
  }
  EXPECT_FALSE(time.is_armed());
}

}  // namespace
}  // namespace nestling
