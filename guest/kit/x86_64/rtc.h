// The real-time clock, an MC146818 at ports 0x70 and 0x71: its registers (data sheet, "Time,
// Calendar and Alarm Locations").
#pragma once

#include <cstdint>

#include "guest/kit/rtc.h"

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

}  // namespace nestling::guest::x86_64
