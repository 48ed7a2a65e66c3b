// Through the local APICs.
#include "guest/kernels/wake-in-turns/turns.h"

#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"

namespace nestling::guest {
namespace {

constexpr x86_64::Vector kYourTurn{0x41};

void on_turn(x86_64::Frame& /*frame*/) { x86_64::local_apic::end_of_interrupt(); }

}  // namespace

void set_up_waking() {
  x86_64::local_apic::set_up();
  x86_64::set_handler(kYourTurn, on_turn);
}

void let_this_cpu_be_woken() { x86_64::local_apic::set_up(); }

void wake(unsigned cpu) {
  x86_64::local_apic::send_interrupt(
      x86_64::local_apic::Id{static_cast<std::uint8_t>(cpu_ids(boot_info())[cpu])}, kYourTurn);
}

}  // namespace nestling::guest
