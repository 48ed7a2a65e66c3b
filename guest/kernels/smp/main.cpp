// Proves that all CPUs come up, know who they are and see each other's writes: rounds=N times, in
// lockstep, each reads what its neighbour wrote; status 0.
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/smp.h"
#include "guest/kit/sync.h"

namespace nestling::guest {
namespace {

constexpr unsigned kMostCpus = 16;

constinit std::uint64_t rounds = 100;
constinit std::optional<Barrier> barrier;
constinit SpinLock console_lock;
constinit std::atomic<std::uint64_t> sum = 0;
/// Written by one CPU each, read by the next one.
constinit std::array<std::uint64_t, kMostCpus> notes{};

void run() {
  const unsigned self = this_cpu();
  const unsigned neighbour = (self + 1) % cpu_count();
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    notes[self] = round * kMostCpus + self;
    sum.fetch_add(1);
    barrier->wait();
    expect(notes[neighbour] == round * kMostCpus + neighbour, "CPU {} to see round {} of CPU {}",
           self, round, neighbour);
    barrier->wait();
  }
  {
    const SpinLock::Guard guard(console_lock);
    print("cpu {} is done\n", self);
  }
  barrier->wait();
}

}  // namespace

int kernel_main(const BootInfo& info) {
  rounds = command_line_number(info, "rounds").value_or(rounds);
  expect(cpu_count() <= kMostCpus, "at most {} CPUs, not {}", kMostCpus, cpu_count());
  expect(this_cpu() == 0, "to boot on CPU 0");
  barrier.emplace(cpu_count());
  for (unsigned cpu = 1; cpu < cpu_count(); ++cpu) {
    start_cpu(cpu, run);
  }
  run();
  expect(sum == rounds * cpu_count(), "{} additions, not {}", rounds * cpu_count(), sum.load());
  print("{} CPUs in lockstep for {} rounds\n", cpu_count(), rounds);
  return 0;
}

}  // namespace nestling::guest
