// From seconds to a date.
#include "guest/kit/aarch64/rtc.h"

namespace nestling::guest {

// The months count from March, so that a leap day comes last, and the eras have 400 years.
DateTime read_date_time() {
  constexpr std::uint32_t kSecondsPerDay = 86'400;
  constexpr std::uint32_t kDaysFromYearZero = 719'468;  // to 1970, from a 1 March
  constexpr std::uint32_t kDaysPerEra = 146'097;
  const std::uint32_t now = aarch64::rtc(aarch64::RtcRegister::kData);

  const std::uint32_t days = now / kSecondsPerDay + kDaysFromYearZero;
  const std::uint32_t era = days / kDaysPerEra;
  const std::uint32_t day_of_era = days % kDaysPerEra;
  const std::uint32_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::uint32_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint32_t month = (5 * day_of_year + 2) / 153;  // from March
  const std::uint32_t second = now % kSecondsPerDay;
  return DateTime{.year = year_of_era + 400 * era + (month >= 10 ? 1 : 0),
                  .month = month < 10 ? month + 3 : month - 9,
                  .day = day_of_year - (153 * month + 2) / 5 + 1,
                  .hour = second / 3600,
                  .minute = second / 60 % 60,
                  .second = second % 60};
}

}  // namespace nestling::guest
