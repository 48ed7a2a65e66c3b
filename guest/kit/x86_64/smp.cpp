// Starting CPUs by INIT and SIPI, and what each of them needs of its own: GDT, TSS, stacks.
#include "guest/kit/smp.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "guest/kit/boot_info.h"
#include "guest/kit/paging.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"
#include "guest/kit/x86_64/control.h"
#include "guest/kit/x86_64/interrupt_controllers.h"

namespace nestling::guest {

// trampoline.S and tables.S define these.
extern "C" {
// NOLINTBEGIN(readability-identifier-naming): named as assembly names things.
extern const std::uint8_t trampoline_begin[];
extern const std::uint8_t trampoline_data[];
extern const std::uint8_t trampoline_end[];
extern const x86_64::TablePointer gdt_pointer;
// NOLINTEND(readability-identifier-naming)
void cpu_entry();
/// Where a new CPU's stack ends.
std::uint64_t starting_stack = 0;
}

namespace {

// NOLINTNEXTLINE(google-build-using-namespace): the kit's own file for this architecture.
using namespace x86_64;

constexpr unsigned kMostCpus = 16;
constexpr std::size_t kGdtEntries = 8;
constexpr std::size_t kTssSlot = 5;  // selector 0x28, which takes two entries
constexpr std::uint16_t kTssSelector = 0x28;

struct [[gnu::packed]] TaskState {
  std::uint32_t reserved_0 = 0;
  std::array<std::uint64_t, 3> rsp{};
  std::uint64_t reserved_1 = 0;
  std::array<std::uint64_t, 7> ist{};
  std::uint64_t reserved_2 = 0;
  std::uint16_t reserved_3 = 0;
  std::uint16_t io_map = sizeof(TaskState);
};
static_assert(sizeof(TaskState) == 104);

template <std::size_t kSize>
struct alignas(16) Stack {
  std::array<std::uint8_t, kSize> bytes;
  [[nodiscard]] std::uint64_t top() const { return address_of(bytes.data()) + kSize; }
};

/// What a started CPU has of its own; the one that boots has the same in tables.S.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): zeroed .bss, not on a stack.
struct CpuData {
  alignas(16) std::array<std::uint64_t, kGdtEntries> gdt;
  alignas(16) TaskState tss;
  Stack<0x4000> stack;
  Stack<0x2000> trap_stack;  // entries from ring 3
  Stack<0x1000> double_fault_stack;
  Stack<0x1000> nmi_stack;
  Stack<0x1000> machine_check_stack;
};

constinit std::array<CpuData, kMostCpus> cpu_data{};
constinit std::atomic<unsigned> running_cpu = 0;  // the last one that was started
constinit unsigned starting_cpu = 0;
constinit CpuFunction starting_function = nullptr;

/// As trampoline.S lays it out.
struct [[gnu::packed]] TrampolineData {
  std::uint32_t cr0, cr3, cr4, efer;
  std::uint32_t target_offset;
  std::uint16_t target_selector;
  std::uint16_t gdt_limit;
  std::uint32_t gdt_base;
};
static_assert(sizeof(TrampolineData) == 28);

std::uint32_t low_half(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

/// The highest usable page below 1 MiB, where real mode reaches.
std::uint64_t trampoline_page() {
  constexpr std::uint64_t kReach = 1 << 20;
  std::uint64_t page = 0;
  for (const MemoryMapEntry& entry : memory_map(boot_info())) {
    if (entry.kind != MemoryKind::kUsable || entry.start >= kReach) {
      continue;
    }
    const std::uint64_t end = entry.start + entry.size < kReach ? entry.start + entry.size : kReach;
    if (end - entry.start >= kPageSize) {
      page = end / kPageSize * kPageSize - kPageSize;
    }
  }
  if (page == 0) {
    panic("no memory below 1 MiB for a CPU to start on");
  }
  return page;
}

void write_trampoline(std::uint64_t page) {
  constexpr std::uint64_t kLongModeActive = 1U << 10;  // the processor sets it by itself
  const auto size = static_cast<std::size_t>(trampoline_end - trampoline_begin);
  std::memcpy(at_address<void>(page), trampoline_begin, size);
  const TrampolineData data{
      .cr0 = low_half(read_cr0()),
      .cr3 = low_half(read_cr3()),
      .cr4 = low_half(read_cr4()),
      .efer = low_half(read_msr(Msr::kEfer) & ~kLongModeActive),
      .target_offset = low_half(address_of(reinterpret_cast<const void*>(&cpu_entry))),
      .target_selector = 0x08,
      .gdt_limit = gdt_pointer.limit,
      .gdt_base = low_half(gdt_pointer.base)};
  const auto offset = static_cast<std::uint64_t>(trampoline_data - trampoline_begin);
  std::memcpy(at_address<void>(page + offset), &data, sizeof data);
}

/// The descriptor of an available 64-bit TSS, in its two halves (SDM volume 3, "TSS Descriptor in
/// 64-bit Mode").
std::array<std::uint64_t, 2> tss_descriptor(const TaskState& tss) {
  constexpr std::uint64_t kPresentTss = 0x89;
  const std::uint64_t base = address_of(&tss);
  return {
      (sizeof tss - 1) | (base & 0xff'ffff) << 16 | kPresentTss << 40 | (base >> 24 & 0xff) << 56,
      base >> 32};
}

void load_tables(CpuData& own) {
  own.tss = {};
  own.tss.rsp[0] = own.trap_stack.top();
  own.tss.ist[0] = own.double_fault_stack.top();
  own.tss.ist[1] = own.nmi_stack.top();
  own.tss.ist[2] = own.machine_check_stack.top();
  std::memcpy(own.gdt.data(), at_address<const void>(gdt_pointer.base), sizeof own.gdt);
  const auto descriptor = tss_descriptor(own.tss);
  own.gdt[kTssSlot] = descriptor[0];
  own.gdt[kTssSlot + 1] = descriptor[1];
  const TablePointer pointer{.limit = sizeof own.gdt - 1, .base = address_of(own.gdt.data())};
  asm volatile("lgdt %0; ltr %1" : : "m"(pointer), "r"(kTssSelector) : "memory");
}

/// True once CPU `index` runs; gives it `ticks` of the time-stamp counter.
bool has_started(unsigned index, std::uint64_t ticks) {
  const std::uint64_t begin = __builtin_ia32_rdtsc();
  while (running_cpu.load(std::memory_order_acquire) != index) {
    if (__builtin_ia32_rdtsc() - begin > ticks) {
      return false;
    }
    relax();
  }
  return true;
}

}  // namespace

/// Where cpu_entry comes on a new CPU.
extern "C" [[noreturn]] void guest_cpu_main() {
  const unsigned index = starting_cpu;
  const CpuFunction function = starting_function;
  write_msr(Msr::kGsBase, index);
  load_tables(cpu_data[index]);
  running_cpu.store(index, std::memory_order_release);
  function();
  halt_forever();
}

unsigned cpu_count() { return static_cast<unsigned>(boot_info().cpu_count); }

// Nothing else uses GS, and it is 0 on the CPU that boots.
unsigned this_cpu() { return static_cast<unsigned>(read_msr(Msr::kGsBase)); }

void start_cpu(unsigned index, CpuFunction function) {
  if (index == 0 || index >= cpu_count() || index >= kMostCpus) {
    panic("no such CPU to start");
  }
  constexpr std::uint64_t kSecond = 1ULL << 32;  // about one, on the processors there are
  const std::uint64_t page = trampoline_page();
  write_trampoline(page);
  starting_cpu = index;
  starting_function = function;
  starting_stack = cpu_data[index].stack.top();
  const local_apic::Id id{static_cast<std::uint8_t>(cpu_ids(boot_info())[index])};
  local_apic::send_init(id);
  local_apic::send_startup(id, page);
  if (!has_started(index, kSecond / 8)) {
    local_apic::send_startup(id, page);  // the protocol's second one, for who missed the first
    if (!has_started(index, 10 * kSecond)) {
      panic("a CPU did not start");
    }
  }
}

void relax() { __builtin_ia32_pause(); }

}  // namespace nestling::guest
