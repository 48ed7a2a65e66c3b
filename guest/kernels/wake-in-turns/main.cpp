// Proves that two CPUs which sleep most of the time and wake each other are no hang: they pass a
// turn to and fro for seconds=N, by interrupts between processors; status 0.
#include <atomic>
#include <cstdint>

#include "guest/kernels/wake-in-turns/turns.h"
#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/interrupts.h"
#include "guest/kit/kernel.h"
#include "guest/kit/rtc.h"
#include "guest/kit/smp.h"

namespace nestling::guest {
namespace {

constinit std::atomic<unsigned> turn = 0;

void pass_to(unsigned cpu) {
  turn = cpu;
  wake(cpu);
}

void wait_for_turn(unsigned cpu) {
  while (turn != cpu) {
    wait_for_interrupt();
  }
}

void run_second() {
  let_this_cpu_be_woken();
  for (;;) {
    wait_for_turn(1);
    pass_to(0);
  }
}

}  // namespace

int kernel_main(const BootInfo& info) {
  expect(cpu_count() == 2, "2 CPUs, not {}", cpu_count());
  const std::uint64_t seconds = command_line_number(info, "seconds").value_or(3);
  set_up_waking();
  start_cpu(1, run_second);

  std::uint64_t turns = 0;
  unsigned second = read_date_time().second;
  for (std::uint64_t passed = 0; passed <= seconds;) {
    pass_to(1);
    wait_for_turn(0);
    ++turns;
    // The clock costs exits, during which this CPU would be awake.
    if (turns % 256 == 0) {
      const unsigned now = read_date_time().second;
      passed += now != second ? 1 : 0;
      second = now;
    }
  }
  print("{} turns in {} seconds\n", turns, seconds);
  return 0;
}

}  // namespace nestling::guest
