// The periodic interrupt of the MC146818, 64 a second, on IRQ 8 through the second PIC.
#include "guest/kernels/rtc-interrupt/clock.h"

#include "guest/abi.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/rtc.h"

namespace nestling::guest {

const unsigned kClockInterrupts = 8;

namespace {

using x86_64::Irq;
using x86_64::RtcRegister;

constexpr Irq kRtcIrq{kIrqRtc};
constexpr std::uint8_t kDivider = 0x20;        // status A: the 32,768 Hz crystal
constexpr std::uint8_t kRate64PerSecond = 10;  // status A: 65536 >> rate

constinit ClockHandler handler = nullptr;

/// Reading status C lets the clock interrupt again.
void on_rtc(x86_64::Frame& /*frame*/) {
  const bool is_periodic =
      (x86_64::read_rtc(RtcRegister::kStatusC) & x86_64::kRtcPeriodicInterrupt) != 0;
  handler(is_periodic ? Cause::kClock : Cause::kNone);
  x86_64::pic::end_of_interrupt(kRtcIrq);
}

}  // namespace

void start_clock_interrupts(ClockHandler on_interrupt) {
  handler = on_interrupt;
  x86_64::pic::set_up();
  x86_64::local_apic::set_up();
  x86_64::set_handler(x86_64::pic::vector_of(kRtcIrq), on_rtc);
  x86_64::pic::unmask(kRtcIrq);

  x86_64::write_rtc(RtcRegister::kStatusA, kDivider | kRate64PerSecond);
  // What the flags say from before; read later, this would take an interrupt's cause from it.
  static_cast<void>(x86_64::read_rtc(RtcRegister::kStatusC));
  const std::uint8_t status_b = x86_64::read_rtc(RtcRegister::kStatusB);
  x86_64::write_rtc(RtcRegister::kStatusB,
                    static_cast<std::uint8_t>(status_b | x86_64::kRtcPeriodicInterrupt));
}

void stop_clock_interrupts() {
  const std::uint8_t status_b = x86_64::read_rtc(RtcRegister::kStatusB);
  x86_64::write_rtc(RtcRegister::kStatusB,
                    static_cast<std::uint8_t>(status_b & ~x86_64::kRtcPeriodicInterrupt));
}

}  // namespace nestling::guest
