// The real-time clock, an MC146818 at ports 0x70 and 0x71: its registers, and reading the time by
// its protocol (data sheet, "Time, Calendar and Alarm Locations").
#pragma once

#include <cstdint>

namespace nestling::guest::x86_64 {

/// A register's index.
enum class RtcRegister : std::uint8_t {
  kSeconds = 0,
  kMinutes = 2,
  kHours = 4,
  kDayOfMonth = 7,
  kMonth = 8,
  kYear = 9,
  kStatusA = 10,
  kStatusB = 11,
  kStatusC = 12,
  kCentury = 0x32,
};

inline constexpr std::uint8_t kRtcUpdateInProgress = 0x80;   // status A
inline constexpr std::uint8_t kRtc24Hours = 0x02;            // status B
inline constexpr std::uint8_t kRtcBinary = 0x04;             // status B
inline constexpr std::uint8_t kRtcPeriodicInterrupt = 0x40;  // status B and C

[[nodiscard]] std::uint8_t read_rtc(RtcRegister index);
void write_rtc(RtcRegister index, std::uint8_t value);

struct DateTime {
  unsigned year, month, day, hour, minute, second;
  friend bool operator==(const DateTime&, const DateTime&) = default;
};

/// The date and time, in whichever of the four formats the clock keeps them: waits until no update
/// is in progress and reads until two readings agree.
[[nodiscard]] DateTime read_date_time();

}  // namespace nestling::guest::x86_64
