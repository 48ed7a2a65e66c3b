// The PIT through the PIC, and the local APIC's own timer.
#include "guest/kernels/timer/timers.h"

#include <cstdint>

#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"

namespace nestling::guest {
namespace {

using x86_64::Frame;
using x86_64::Irq;
using x86_64::Vector;

constexpr Irq kPitIrq{0};
constexpr Vector kApicTimerVector{0x40};
constexpr std::uint16_t kPitCounts = x86_64::pit::kCountsPerSecond / 200;
/// 5 ms where the bus clock is 1 GHz, as KVM's is.
constexpr std::uint32_t kApicTicks = 312'500;

constinit TickHandler tick = nullptr;

void on_pit(Frame& /*frame*/) {
  tick();
  x86_64::pic::end_of_interrupt(kPitIrq);
}

void on_apic_timer(Frame& /*frame*/) {
  tick();
  x86_64::local_apic::end_of_interrupt();
}

void start_pit() {
  x86_64::set_handler(x86_64::pic::vector_of(kPitIrq), on_pit);
  x86_64::pic::unmask(kPitIrq);
  x86_64::pit::start_periodic(kPitCounts);
}

void start_apic_timer() {
  x86_64::set_handler(kApicTimerVector, on_apic_timer);
  x86_64::local_apic::start_periodic_timer(kApicTimerVector, kApicTicks);
}

constexpr PeriodicTimer kTimers[] = {
    {"PIT", start_pit, x86_64::pit::stop},
    {"local APIC", start_apic_timer, x86_64::local_apic::stop_timer},
};

}  // namespace

void set_up_timers(TickHandler on_tick) {
  tick = on_tick;
  x86_64::pic::set_up();
  x86_64::local_apic::set_up();
}

std::span<const PeriodicTimer> timers() { return kTimers; }

}  // namespace nestling::guest
