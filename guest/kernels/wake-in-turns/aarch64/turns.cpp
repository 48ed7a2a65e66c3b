// Through the GIC's software-generated interrupts.
#include "guest/kernels/wake-in-turns/turns.h"

#include "guest/kit/aarch64/interrupt_controllers.h"
#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/boot_info.h"

namespace nestling::guest {
namespace {

constexpr aarch64::Intid kYourTurn{1};

void on_interrupt(aarch64::Frame& /*frame*/) {
  const aarch64::Intid intid = aarch64::gic::acknowledge();
  if (intid != aarch64::kNoInterrupt) {
    aarch64::gic::end_of_interrupt(intid);
  }
}

}  // namespace

void set_up_waking() {
  aarch64::set_interrupt_handler(on_interrupt);
  aarch64::gic::set_up();
  aarch64::gic::enable(kYourTurn);
}

void let_this_cpu_be_woken() {
  aarch64::gic::set_up_this_cpu();
  aarch64::gic::enable(kYourTurn);
}

void wake(unsigned cpu) { aarch64::gic::send(cpu_ids(boot_info())[cpu], kYourTurn); }

}  // namespace nestling::guest
