// Proves that timer interrupts arrive, again and again, while the CPU sleeps: from the PIT through
// the PIC, then from the local APIC's own timer; status 0.
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used]] constexpr NeedsNote kNeeds{.flags = kNeedsIrqchip};

namespace {

using x86_64::Frame;
using x86_64::Irq;
using x86_64::Vector;

constexpr Irq kPitIrq{0};
constexpr Vector kApicTimerVector{0x40};
constexpr unsigned kTicks = 5;
constexpr std::uint16_t kPitCounts = x86_64::pit::kCountsPerSecond / 200;
/// 5 ms where the bus clock is 1 GHz, as KVM's is.
constexpr std::uint32_t kApicTicks = 312'500;

constinit unsigned pit_ticks = 0;
constinit unsigned apic_ticks = 0;

/// The ticks that come while the timer is being stopped do not count: on a slow or busy host KVM
/// makes up for late ones.
void count(unsigned& ticks) {
  if (ticks < kTicks) {
    ++ticks;
  }
}

void on_pit(Frame& /*frame*/) {
  count(pit_ticks);
  x86_64::pic::end_of_interrupt(kPitIrq);
}

void on_apic_timer(Frame& /*frame*/) {
  count(apic_ticks);
  x86_64::local_apic::end_of_interrupt();
}

/// Sleeps until `ticks`, which a handler counts, says kTicks.
void wait_for(const unsigned& ticks) {
  while (*static_cast<const volatile unsigned*>(&ticks) < kTicks) {
    x86_64::wait_for_interrupt();
  }
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  x86_64::pic::set_up();
  x86_64::local_apic::set_up();

  x86_64::set_handler(x86_64::pic::vector_of(kPitIrq), on_pit);
  x86_64::pic::unmask(kPitIrq);
  x86_64::pit::start_periodic(kPitCounts);
  wait_for(pit_ticks);
  x86_64::pit::stop();
  print("{} ticks of the PIT\n", pit_ticks);

  x86_64::set_handler(kApicTimerVector, on_apic_timer);
  x86_64::local_apic::start_periodic_timer(kApicTimerVector, kApicTicks);
  wait_for(apic_ticks);
  x86_64::local_apic::stop_timer();
  print("{} ticks of the local APIC\n", apic_ticks);
  return 0;
}

}  // namespace nestling::guest
