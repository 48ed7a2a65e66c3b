// The clock's registers: every format there and back, and registers that name no time.
#include "devices/rtc_calendar.h"

#include <chrono>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;
using Hours = RtcFormat::Hours;
using Numbers = RtcFormat::Numbers;

constexpr RtcFormat kBcd24 = {Numbers::kBcd, Hours::k24};
constexpr RtcFormat kBcd12 = {Numbers::kBcd, Hours::k12};
constexpr RtcFormat kBinary24 = {Numbers::kBinary, Hours::k24};
constexpr RtcFormat kBinary12 = {Numbers::kBinary, Hours::k12};

/// Friday, 31 December 1999, 23:59:58.
constexpr sys_seconds kEve = sys_days(year(1999) / 12 / 31) + hours(23) + minutes(59) + seconds(58);

TEST(RtcCalendar, WritesEachFormatAsTheDatasheetDoes) {
  EXPECT_EQ(encode_rtc_time({.time = kEve}, kBcd24),
            (RtcRegisters{0x58, 0x59, 0x23, 0x06, 0x31, 0x12, 0x99, 0x19}));
  EXPECT_EQ(encode_rtc_time({.time = kEve}, kBcd12),
            (RtcRegisters{0x58, 0x59, 0x91, 0x06, 0x31, 0x12, 0x99, 0x19}));
  EXPECT_EQ(encode_rtc_time({.time = kEve}, kBinary24),
            (RtcRegisters{58, 59, 23, 6, 31, 12, 99, 19}));
  EXPECT_EQ(encode_rtc_time({.time = kEve}, kBinary12),
            (RtcRegisters{58, 59, 0x8b, 6, 31, 12, 99, 19}));
}

TEST(RtcCalendar, CallsMidnightAndNoonTwelve) {
  EXPECT_EQ(encode_rtc_hour(0, kBcd12), 0x12);
  EXPECT_EQ(encode_rtc_hour(1, kBcd12), 0x01);
  EXPECT_EQ(encode_rtc_hour(11, kBcd12), 0x11);
  EXPECT_EQ(encode_rtc_hour(12, kBcd12), 0x92);
  EXPECT_EQ(encode_rtc_hour(13, kBcd12), 0x81);
  EXPECT_EQ(encode_rtc_hour(12, kBinary12), 0x8c);
}

TEST(RtcCalendar, ReadsBackEveryTimeItWrites) {
  for (const RtcFormat format : {kBcd24, kBcd12, kBinary24, kBinary12}) {
    // 40 years in steps that meet every second, minute, hour, weekday, day and month.
    for (sys_seconds time = sys_days(year(1996) / 1 / 1); time < sys_days(year(2036) / 1 / 1);
         time += hours(19) + minutes(37) + seconds(41)) {
      const RtcTime back = decode_rtc_time(encode_rtc_time({.time = time}, format), format);
      ASSERT_EQ(back.time, time);
      ASSERT_EQ(back.weekday_shift, days(0));
    }
  }
}

TEST(RtcCalendar, KeepsEveryWeekdayAGuestSets) {
  for (int shift = 0; shift < 7; ++shift) {
    const RtcTime time = {.time = kEve, .weekday_shift = days(shift)};
    EXPECT_EQ(decode_rtc_time(encode_rtc_time(time, kBcd24), kBcd24).weekday_shift, days(shift));
  }
}

TEST(RtcCalendar, RunsOverWhereRegistersAreOutOfRange) {
  const auto decoded = [](RtcRegisters registers) {
    return decode_rtc_time(registers, kBinary24).time;
  };
  EXPECT_EQ(decoded({60, 59, 23, 6, 31, 12, 99, 19}), sys_days(year(2000) / 1 / 1));
  EXPECT_EQ(decoded({0, 0, 0, 1, 30, 2, 0, 20}), sys_days(year(2000) / 3 / 1));
  EXPECT_EQ(decoded({0, 0, 0, 1, 0, 3, 0, 20}), sys_days(year(2000) / 2 / 29));
  EXPECT_EQ(decoded({0, 0, 0, 1, 1, 0, 0, 20}), sys_days(year(2000) / 12 / 1));
  EXPECT_EQ(decoded({0, 0, 0, 1, 1, 13, 0, 20}), sys_days(year(2000) / 1 / 1));
}

TEST(RtcCalendar, TakesAnyBytesInAnyFormat) {
  for (const RtcFormat format : {kBcd24, kBcd12, kBinary24, kBinary12}) {
    for (unsigned value = 0; value < 256; ++value) {
      const auto byte = static_cast<std::uint8_t>(value);
      const RtcTime time =
          decode_rtc_time({byte, byte, byte, byte, byte, byte, byte, byte}, format);
      EXPECT_GE(time.weekday_shift, days(0));
      EXPECT_LT(time.weekday_shift, days(7));
      const RtcRegisters again = encode_rtc_time(time, format);
      EXPECT_NE(again.month, 0);
      EXPECT_NE(again.day, 0);
    }
  }
}

TEST(RtcCalendar, WaitsForAnAlarm) {
  const auto wait = [](RtcAlarm alarm) { return wait_for_rtc_alarm(alarm, kEve, kBcd24); };
  EXPECT_EQ(wait({0x59, 0x59, 0x23}), seconds(1));
  EXPECT_EQ(wait({0x00, 0x00, 0x00}), seconds(2));
  EXPECT_EQ(wait({0x58, 0x59, 0x23}), hours(24)) << "now is a day away";
  EXPECT_EQ(wait({0x57, 0x59, 0x23}), hours(24) - seconds(1));
  EXPECT_EQ(wait({0x30, 0x15, 0x07}), hours(7) + minutes(15) + seconds(32));
}

TEST(RtcCalendar, WaitsForAnAlarmThatMatchesEverything) {
  const auto wait = [](RtcAlarm alarm) { return wait_for_rtc_alarm(alarm, kEve, kBcd24); };
  EXPECT_EQ(wait({0xc0, 0xff, 0xc0}), seconds(1));
  EXPECT_EQ(wait({0x10, 0xff, 0xff}), seconds(12)) << "once a minute";
  EXPECT_EQ(wait({0x10, 0x20, 0xff}), minutes(20) + seconds(12)) << "once an hour";
}

TEST(RtcCalendar, WaitsInTheFormatOfTheRegisters) {
  EXPECT_EQ(wait_for_rtc_alarm({0, 0, 0x12}, kEve, kBcd12), seconds(2)) << "midnight is 12 am";
  EXPECT_EQ(wait_for_rtc_alarm({0, 0, 0x92}, kEve, kBcd12), hours(12) + seconds(2));
  EXPECT_EQ(wait_for_rtc_alarm({59, 59, 23}, kEve, kBinary24), seconds(1));
}

TEST(RtcCalendar, NeverReachesAnAlarmThatNamesNoTime) {
  EXPECT_EQ(wait_for_rtc_alarm({0x60, 0xff, 0xff}, kEve, kBcd24), std::nullopt);
  EXPECT_EQ(wait_for_rtc_alarm({0xff, 0x7f, 0xff}, kEve, kBcd24), std::nullopt);
  EXPECT_EQ(wait_for_rtc_alarm({0xff, 0xff, 0x24}, kEve, kBcd24), std::nullopt);
}

}  // namespace
}  // namespace nestling
