// The time as a PC's clock shows it: registers of BCD or binary numbers, 12 or 24 hours.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace nestling {

/// How numbers stand in the registers: two bits of register B.
struct RtcFormat {
  enum class Numbers : std::uint8_t { kBcd, kBinary };
  enum class Hours : std::uint8_t { k12, k24 };
  Numbers numbers = Numbers::kBcd;
  Hours hours = Hours::k24;
};

/// The registers, as the guest reads and writes them: any byte can be in any of them.
struct RtcRegisters {
  std::uint8_t second = 0;   // 0 … 59
  std::uint8_t minute = 0;   // 0 … 59
  std::uint8_t hour = 0;     // 0 … 23, or 1 … 12 with bit 7 in the afternoon
  std::uint8_t weekday = 0;  // 1 … 7, by convention from Sunday
  std::uint8_t day = 0;      // 1 … 31
  std::uint8_t month = 0;    // 1 … 12
  std::uint8_t year = 0;     // 0 … 99
  std::uint8_t century = 0;  // 19, 20 …

  friend bool operator==(const RtcRegisters&, const RtcRegisters&) = default;
};

/// What the registers say. The weekday counts on its own: a guest may call any day a Sunday.
struct RtcTime {
  std::chrono::sys_seconds time;
  std::chrono::days weekday_shift{0};  // 0 … 6, from the calendar's weekday to the register's
};

/// `value` modulo 100 (BCD), or modulo 256, as a register holds it.
[[nodiscard]] std::uint8_t encode_rtc_number(unsigned value, RtcFormat format);
/// `hour` counts from midnight, 0 … 23.
[[nodiscard]] std::uint8_t encode_rtc_hour(unsigned hour, RtcFormat format);

[[nodiscard]] RtcRegisters encode_rtc_time(const RtcTime& time, RtcFormat format);
/// The inverse for registers that name a time; what is out of range runs over into the next minute,
/// day or month, and a month that does not exist is one that does.
[[nodiscard]] RtcTime decode_rtc_time(const RtcRegisters& registers, RtcFormat format);

/// The alarm registers. A byte from 0xc0 up matches everything.
struct RtcAlarm {
  std::uint8_t second = 0;
  std::uint8_t minute = 0;
  std::uint8_t hour = 0;
};

/// How long after `time` its registers next equal those of the alarm: at least a second, at most a
/// day; nothing when they never do.
[[nodiscard]] std::optional<std::chrono::seconds> wait_for_rtc_alarm(const RtcAlarm& alarm,
                                                                     std::chrono::sys_seconds time,
                                                                     RtcFormat format);

}  // namespace nestling
