// Proves that the real-time clock interrupts periodically: sleeps through eight of its interrupts,
// 64 a second, on IRQ 8 through the second PIC; status 0.
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/rtc.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used]] constexpr NeedsNote kNeeds{.flags = kNeedsIrqchip};

namespace {

using x86_64::Frame;
using x86_64::Irq;
using x86_64::RtcRegister;

constexpr Irq kRtcIrq{kIrqRtc};
constexpr unsigned kInterrupts = 8;
constexpr std::uint8_t kDivider = 0x20;        // status A: the 32,768 Hz crystal
constexpr std::uint8_t kRate64PerSecond = 10;  // status A: 65536 >> rate

constinit volatile unsigned interrupts = 0;
constinit volatile unsigned without_cause = 0;

/// Reading status C lets the clock interrupt again.
void on_rtc(Frame& /*frame*/) {
  if ((x86_64::read_rtc(RtcRegister::kStatusC) & x86_64::kRtcPeriodicInterrupt) != 0) {
    interrupts = interrupts + 1;
  } else {
    without_cause = without_cause + 1;
  }
  x86_64::pic::end_of_interrupt(kRtcIrq);
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
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
  while (interrupts < kInterrupts) {
    x86_64::wait_for_interrupt();
  }
  x86_64::write_rtc(RtcRegister::kStatusB, status_b);
  print("{} interrupts of the clock\n", static_cast<unsigned>(interrupts));
  expect(without_cause == 0, "a cause for each interrupt");
  return 0;
}

}  // namespace nestling::guest
