// Reading the real-time clock without tearing the time apart.
#include "guest/kit/x86_64/rtc.h"

#include "guest/abi.h"
#include "guest/kit/expect.h"
#include "guest/kit/x86_64/ports.h"

namespace nestling::guest {
namespace x86_64 {
namespace {

constexpr std::uint8_t kAfternoon = 0x80;  // in the hours, when the clock counts to 12

unsigned decode(std::uint8_t value, std::uint8_t status_b) {
  return (status_b & kRtcBinary) != 0 ? value : (value >> 4) * 10U + (value & 0x0fU);
}

/// An update takes 2 ms at most; a clock that is always updating is none.
void wait_for_update() {
  constexpr unsigned kMostReads = 10'000;
  for (unsigned reads = 0; (read_rtc(RtcRegister::kStatusA) & kRtcUpdateInProgress) != 0; ++reads) {
    expect(reads < kMostReads, "an end of the clock's update");
  }
}

DateTime read_once() {
  wait_for_update();
  const std::uint8_t status_b = read_rtc(RtcRegister::kStatusB);
  const auto field = [status_b](RtcRegister index) { return decode(read_rtc(index), status_b); };

  const std::uint8_t raw_hour = read_rtc(RtcRegister::kHours);
  unsigned hour = decode(static_cast<std::uint8_t>(raw_hour & ~kAfternoon), status_b);
  if ((status_b & kRtc24Hours) == 0) {
    hour = hour % 12 + ((raw_hour & kAfternoon) != 0 ? 12 : 0);
  }
  return DateTime{.year = field(RtcRegister::kCentury) * 100 + field(RtcRegister::kYear),
                  .month = field(RtcRegister::kMonth),
                  .day = field(RtcRegister::kDayOfMonth),
                  .hour = hour,
                  .minute = field(RtcRegister::kMinutes),
                  .second = field(RtcRegister::kSeconds)};
}

}  // namespace

std::uint8_t read_rtc(RtcRegister index) {
  out(Port{kPortRtcIndex}, static_cast<std::uint8_t>(index));
  return in<std::uint8_t>(Port{kPortRtcData});
}

void write_rtc(RtcRegister index, std::uint8_t value) {
  out(Port{kPortRtcIndex}, static_cast<std::uint8_t>(index));
  out(Port{kPortRtcData}, value);
}

}  // namespace x86_64

// In whichever of the four formats the clock keeps them: waits until no update is in progress and
// reads until two readings agree.
DateTime read_date_time() {
  DateTime before = x86_64::read_once();
  for (;;) {
    const DateTime now = x86_64::read_once();
    if (now == before) {
      return now;
    }
    before = now;
  }
}

}  // namespace nestling::guest
