// Starting CPUs by PSCI, and what each of them has of its own: a stack and a number.
#include "guest/kit/smp.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "guest/kit/aarch64/control.h"
#include "guest/kit/aarch64/psci.h"
#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"

namespace nestling::guest {

// start.S defines it; PSCI passes on the address of a CpuStart.
extern "C" void secondary_start();

namespace {

constexpr unsigned kMostCpus = 16;
constexpr std::size_t kStackSize = 0x4000;

struct alignas(16) Stack {
  std::array<std::uint8_t, kStackSize> bytes;
};

/// What a new CPU needs to know. start.S takes the first two.
struct CpuStart {
  std::uint64_t stack_top;
  void (*main)(const CpuStart& start);
  CpuFunction function;
  std::uint64_t controls;  // SCTLR_EL1
  unsigned index;
};

constinit std::array<Stack, kMostCpus> stacks{};
constinit std::array<CpuStart, kMostCpus> starts{};
constinit std::atomic<unsigned> running_cpu = 0;  // the last one that was started

[[noreturn]] void cpu_main(const CpuStart& start) {
  aarch64::write_register<aarch64::kSctlr>(start.controls);
  aarch64::write_register<aarch64::kTpidr>(start.index);
  running_cpu.store(start.index, std::memory_order_release);
  start.function();
  halt_forever();
}

}  // namespace

unsigned cpu_count() { return static_cast<unsigned>(boot_info().cpu_count); }

// Nothing else uses it, and start.S sets it to 0 on the CPU that boots.
unsigned this_cpu() { return static_cast<unsigned>(aarch64::read_register<aarch64::kTpidr>()); }

void start_cpu(unsigned index, CpuFunction function) {
  if (index == 0 || index >= cpu_count() || index >= kMostCpus) {
    panic("no such CPU to start");
  }
  starts[index] = {.stack_top = address_of(stacks[index].bytes.data()) + kStackSize,
                   .main = cpu_main,
                   .function = function,
                   .controls = aarch64::read_register<aarch64::kSctlr>(),
                   .index = index};
  running_cpu.store(0);
  asm volatile("dsb sy" : : : "memory");
  const std::int64_t result =
      aarch64::psci::call(aarch64::psci::Function::kCpuOn,
                          {.first = cpu_ids(boot_info())[index],
                           .second = address_of(reinterpret_cast<const void*>(&secondary_start)),
                           .third = address_of(&starts[index])});
  expect(result == 0, "PSCI to start CPU {}, not {}", index, result);
  while (running_cpu.load(std::memory_order_acquire) != index) {
    relax();
  }
}

void relax() { asm volatile("yield" : : : "memory"); }

}  // namespace nestling::guest
