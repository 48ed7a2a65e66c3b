// Proves that PSCI turns a CPU off and on again and tells which it is, refuses what it must, and
// that a suspended CPU wakes for its timer; needs 2 CPUs, status 0.
#include <atomic>
#include <cstdint>

#include "guest/kit/aarch64/interrupt_controllers.h"
#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/aarch64/psci.h"
#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/needs.h"
#include "guest/kit/smp.h"
#include "guest/kit/tick_counter.h"

namespace nestling::guest {

[[gnu::section(".note.nestling"), gnu::used, gnu::aligned(4)]] constexpr NeedsNote kNeeds{
    .flags = kNeedsIrqchip};

namespace {

namespace psci = aarch64::psci;
using psci::Function;

// Arm DEN 0022, "Return error codes" and "AFFINITY_INFO".
constexpr std::int64_t kInvalidParameters = -2;
constexpr std::int64_t kAlreadyOn = -4;
constexpr std::int64_t kOn = 0;
constexpr std::int64_t kOff = 1;

constexpr unsigned kStarts = 3;

constinit std::atomic<unsigned> starts = 0;
constinit volatile unsigned timer_interrupts = 0;

std::int64_t affinity_info(unsigned cpu) {
  return psci::call(Function::kAffinityInfo, {.first = cpu_ids(boot_info())[cpu]});
}

void go_off_again() {
  expect(affinity_info(1) == kOn, "CPU 1 to find itself on");
  starts.fetch_add(1);
  psci::call(Function::kCpuOff);
}

void on_interrupt(aarch64::Frame& /*frame*/) {
  const aarch64::Intid intid = aarch64::gic::acknowledge();
  if (intid == aarch64::timer::intid(aarch64::Timer::kVirtual)) {
    aarch64::timer::stop(aarch64::Timer::kVirtual);
    timer_interrupts = timer_interrupts + 1;
  }
  if (intid != aarch64::kNoInterrupt) {
    aarch64::gic::end_of_interrupt(intid);
  }
}

void check_power_of_cpus() {
  expect(affinity_info(0) == kOn, "CPU 0 to be on");
  expect(affinity_info(1) == kOff, "CPU 1 to be off before it is started");
  for (unsigned i = 1; i <= kStarts; ++i) {
    start_cpu(1, go_off_again);
    while (affinity_info(1) != kOff) {
      relax();
    }
    expect(starts == i, "CPU 1 to have run {} times, not {}", i, starts.load());
  }
  print("CPU 1 went off {} times\n", kStarts);

  const std::int64_t again =
      psci::call(Function::kCpuOn, {.first = cpu_ids(boot_info())[0], .second = 0x1000});
  expect(again == kAlreadyOn, "a CPU that is on not to be started: {}", again);
  const std::int64_t nobody = psci::call(Function::kCpuOn, {.first = 0xff'ffff, .second = 0x1000});
  expect(nobody == kInvalidParameters, "a CPU that is not there not to be started: {}", nobody);
}

/// Interrupts are off: the one that wakes is taken afterwards.
void check_suspend() {
  aarch64::set_interrupt_handler(on_interrupt);
  aarch64::gic::set_up();
  aarch64::gic::enable(aarch64::timer::intid(aarch64::Timer::kVirtual));
  const auto period = static_cast<std::uint32_t>(aarch64::timer::frequency() / 50);
  const std::uint64_t before = tick_count();
  aarch64::timer::start(aarch64::Timer::kVirtual, period);
  // A kick by the host ends a suspension, too.
  while (tick_count() - before < period) {
    const std::int64_t result = psci::call(Function::kCpuSuspend);
    expect(result == 0, "to be suspended, not {}", result);
  }
  expect(timer_interrupts == 0, "no interrupt to be taken while they are off");
  interrupts_on();
  while (timer_interrupts == 0) {
    relax();
  }
  interrupts_off();
  print("CPU 0 was suspended, and woke for its timer\n");
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  expect(cpu_count() == 2, "2 CPUs, not {}", cpu_count());
  const std::int64_t version = psci::call(Function::kVersion);
  expect(version >= 2, "PSCI 0.2 or newer, not {}", version);
  print("PSCI {}.{}\n", version >> 16, version & 0xffff);
  check_power_of_cpus();
  check_suspend();
  return 0;
}

}  // namespace nestling::guest
