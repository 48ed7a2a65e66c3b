// What is said of an x86_64 guest that crashed: one line for the verdict, and the full report.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "addrspace/guest_memory.h"
#include "addrspace/x86_64/stage1_format.h"
#include "boot/symbols.h"
#include "vmm/exit_record.h"
#include "vmm/x86_64/cpu_state.h"

namespace nestling::x86_64 {

/// A vCPU that stopped for good, and what led there. Names, memory and the console line are the
/// guest's: hostile bytes in them reach no terminal.
struct CrashScene {
  std::uint32_t vcpu = 0;
  CpuState cpu;
  /// Must outlive the scene.
  GuestMemory& memory;
  PagingFeatures features;
  /// Must outlive the scene; may be empty.
  const SymbolTable& symbols;
  /// Oldest first.
  std::span<const ExitRecord> last_exits;
  /// How many there were in all.
  std::uint64_t exit_count = 0;
  std::string_view last_console_line;
};

/// "0x100234 in crash_now+0x14", or the bare address where no symbol covers it: RIP as a linear
/// address.
[[nodiscard]] std::string location(const CrashScene& scene);

/// The verdict's reason for a CPU that shut down: "triple fault at 0x100234 in crash_now+0x14: #UD
/// (ud2) with no handler: the IDT is empty (limit 0)". KVM does not tell which exception came
/// first, so one is named only where the instruction, the registers and memory prove it, and called
/// probable where CR2 suggests a page fault.
[[nodiscard]] std::string triple_fault_reason(const CrashScene& scene);

/// The report: registers, bytes at RIP, page walks of RIP, RSP and CR2, a backtrace, the last exits
/// and the last console line. Lines end with a newline. Whatever the guest left in registers and
/// memory, this ends soon and says what could not be read.
[[nodiscard]] std::string crash_report(const CrashScene& scene);

}  // namespace nestling::x86_64
