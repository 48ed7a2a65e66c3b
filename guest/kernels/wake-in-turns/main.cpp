// Proves that two CPUs which sleep most of the time and wake each other are no hang: they pass a
// turn to and fro for seconds=N, by interrupts between processors; status 0.
#include <atomic>
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/smp.h"
#include "guest/kit/x86_64/interrupt_controllers.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/rtc.h"

namespace nestling::guest {
namespace {

using x86_64::Frame;
using x86_64::Vector;

constexpr Vector kYourTurn{0x41};

constinit std::atomic<unsigned> turn = 0;

void on_turn(Frame& /*frame*/) { x86_64::local_apic::end_of_interrupt(); }

void pass_to(unsigned cpu) {
  turn = cpu;
  x86_64::local_apic::send_interrupt(
      x86_64::local_apic::Id{static_cast<std::uint8_t>(cpu_ids(boot_info())[cpu])}, kYourTurn);
}

void wait_for_turn(unsigned cpu) {
  while (turn != cpu) {
    x86_64::wait_for_interrupt();
  }
}

void run_second() {
  x86_64::local_apic::set_up();
  for (;;) {
    wait_for_turn(1);
    pass_to(0);
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  expect(cpu_count() == 2, "2 CPUs, not {}", cpu_count());
  const std::uint64_t seconds = command_line_number(info, "seconds").value_or(3);
  x86_64::local_apic::set_up();
  x86_64::set_handler(kYourTurn, on_turn);
  start_cpu(1, run_second);

  std::uint64_t turns = 0;
  unsigned second = x86_64::read_date_time().second;
  for (std::uint64_t passed = 0; passed <= seconds;) {
    pass_to(1);
    wait_for_turn(0);
    ++turns;
    // The clock costs exits, during which this CPU would be awake.
    if (turns % 256 == 0) {
      const unsigned now = x86_64::read_date_time().second;
      passed += now != second ? 1 : 0;
      second = now;
    }
  }
  print("{} turns in {} seconds\n", turns, seconds);
  return 0;
}

}  // namespace nestling::guest
