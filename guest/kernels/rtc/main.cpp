// Proves that the real-time clock tells a date and time that can be: prints it as ISO 8601; status
// 0.
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/rtc.h"

namespace nestling::guest {
namespace {

/// In the month of `date`.
unsigned days_in_month(const DateTime& date) {
  constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool is_leap_year = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
  return date.month == 2 && is_leap_year ? 29 : kDays[date.month - 1];
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  const DateTime now = read_date_time();
  print("{}-{}-{}T{}:{}:{}Z\n", now.year, TwoDigits{now.month}, TwoDigits{now.day},
        TwoDigits{now.hour}, TwoDigits{now.minute}, TwoDigits{now.second});
  expect(now.year >= 2024 && now.year < 2200, "a year of our time");
  expect(now.month >= 1 && now.month <= 12, "a month from 1 to 12");
  expect(now.day >= 1 && now.day <= days_in_month(now), "a day of that month");
  expect(now.hour < 24 && now.minute < 60 && now.second < 60, "a time of day");
  return 0;
}

}  // namespace nestling::guest
