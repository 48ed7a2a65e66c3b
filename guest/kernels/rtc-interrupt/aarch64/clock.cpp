// The alarm of the PL031, set to the next second again and again.
#include "guest/kernels/rtc-interrupt/clock.h"

#include "guest/abi.h"
#include "guest/kit/aarch64/interrupt_controllers.h"
#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/aarch64/rtc.h"

namespace nestling::guest {

const unsigned kClockInterrupts = 2;

namespace {

using aarch64::rtc;
using aarch64::RtcRegister;

constexpr aarch64::Intid kRtcIntid{kIntidPl031};

constinit ClockHandler handler = nullptr;

void set_alarm() { rtc(RtcRegister::kMatch) = rtc(RtcRegister::kData) + 1; }

void on_interrupt_request(aarch64::Frame& /*frame*/) {
  const aarch64::Intid intid = aarch64::gic::acknowledge();
  if (intid == kRtcIntid) {
    const bool is_alarm = rtc(RtcRegister::kMaskedInterrupt) == 1;
    rtc(RtcRegister::kInterruptClear) = 1;
    set_alarm();
    handler(is_alarm ? Cause::kClock : Cause::kNone);
  }
  if (intid != aarch64::kNoInterrupt) {
    aarch64::gic::end_of_interrupt(intid);
  }
}

}  // namespace

void start_clock_interrupts(ClockHandler on_interrupt) {
  handler = on_interrupt;
  aarch64::set_interrupt_handler(on_interrupt_request);
  aarch64::gic::set_up();
  aarch64::gic::enable(kRtcIntid);
  set_alarm();
  rtc(RtcRegister::kInterruptMask) = 1;
}

void stop_clock_interrupts() { rtc(RtcRegister::kInterruptMask) = 0; }

}  // namespace nestling::guest
