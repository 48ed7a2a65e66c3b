// Numbers and dates to registers and back.
#include "devices/rtc_calendar.h"

namespace nestling {

namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::month;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::weekday;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr unsigned kAfternoon = 0x80;

unsigned decode_number(unsigned value, RtcFormat format) {
  return format.numbers == RtcFormat::Numbers::kBinary ? value : (value >> 4) * 10 + (value & 0x0f);
}

unsigned decode_hour(unsigned value, RtcFormat format) {
  if (format.hours == RtcFormat::Hours::k24) {
    return decode_number(value, format);
  }
  const unsigned hour = decode_number(value & ~kAfternoon, format) % 12;
  return (value & kAfternoon) != 0 ? hour + 12 : hour;
}

/// From here up, an alarm byte matches everything.
constexpr std::uint8_t kAnyTime = 0xc0;

bool matches(std::uint8_t alarm, std::uint8_t now) { return alarm >= kAnyTime || alarm == now; }

days weekday_of(sys_days day) { return days(weekday(day).c_encoding()); }

}  // namespace

std::uint8_t encode_rtc_number(unsigned value, RtcFormat format) {
  if (format.numbers == RtcFormat::Numbers::kBinary) {
    return static_cast<std::uint8_t>(value);
  }
  const unsigned digits = value % 100;
  return static_cast<std::uint8_t>((digits / 10) << 4 | digits % 10);
}

std::uint8_t encode_rtc_hour(unsigned hour, RtcFormat format) {
  if (format.hours == RtcFormat::Hours::k24) {
    return encode_rtc_number(hour, format);
  }
  const unsigned on_the_dial = hour % 12 == 0 ? 12 : hour % 12;
  const unsigned number = encode_rtc_number(on_the_dial, format);
  return static_cast<std::uint8_t>(hour >= 12 ? number | kAfternoon : number);
}

RtcRegisters encode_rtc_time(const RtcTime& time, RtcFormat format) {
  const auto day = std::chrono::floor<days>(time.time);
  const year_month_day date(day);
  const auto of_day = static_cast<unsigned>((time.time - day).count());
  // A guest can set the clock to year 0 and a little before.
  const auto years = static_cast<unsigned>(static_cast<int>(date.year()) + 10'000);
  const auto weekday_number =
      static_cast<unsigned>((weekday_of(day) + time.weekday_shift).count() % 7 + 1);
  return {.second = encode_rtc_number(of_day % 60, format),
          .minute = encode_rtc_number(of_day / 60 % 60, format),
          .hour = encode_rtc_hour(of_day / 3600, format),
          .weekday = encode_rtc_number(weekday_number, format),
          .day = encode_rtc_number(static_cast<unsigned>(date.day()), format),
          .month = encode_rtc_number(static_cast<unsigned>(date.month()), format),
          .year = encode_rtc_number(years % 100, format),
          .century = encode_rtc_number(years / 100 % 100, format)};
}

RtcTime decode_rtc_time(const RtcRegisters& registers, RtcFormat format) {
  const unsigned years =
      decode_number(registers.century, format) * 100 + decode_number(registers.year, format);
  const unsigned months = (decode_number(registers.month, format) + 11) % 12 + 1;
  const auto first_of_month = sys_days(year(static_cast<int>(years)) / month(months) / 1);
  const auto day = first_of_month + days(decode_number(registers.day, format)) - days(1);
  const auto time = day + hours(decode_hour(registers.hour, format)) +
                    minutes(decode_number(registers.minute, format)) +
                    seconds(decode_number(registers.second, format));
  const auto calendar = weekday_of(std::chrono::floor<days>(time));
  const auto wanted = days(decode_number(registers.weekday, format)) - days(1);
  return {.time = time, .weekday_shift = (wanted + days(14) - calendar) % 7};
}

std::optional<seconds> wait_for_rtc_alarm(const RtcAlarm& alarm, std::chrono::sys_seconds time,
                                          RtcFormat format) {
  const auto second_matches = [&](unsigned second) {
    return matches(alarm.second, encode_rtc_number(second, format));
  };
  // Without a second that matches, the search below would look at every second of the day.
  unsigned second = 0;
  while (second < 60 && !second_matches(second)) {
    ++second;
  }
  if (second == 60) {
    return std::nullopt;
  }
  constexpr unsigned kDay = 86'400;
  const auto start = static_cast<unsigned>((time - std::chrono::floor<days>(time)).count());
  for (unsigned passed = 1; passed <= kDay;) {
    const unsigned of_day = (start + passed) % kDay;
    if (!matches(alarm.hour, encode_rtc_hour(of_day / 3600, format))) {
      passed += 3600 - of_day % 3600;
    } else if (!matches(alarm.minute, encode_rtc_number(of_day / 60 % 60, format))) {
      passed += 60 - of_day % 60;
    } else if (!second_matches(of_day % 60)) {
      ++passed;
    } else {
      return seconds(passed);
    }
  }
  return std::nullopt;
}

}  // namespace nestling
