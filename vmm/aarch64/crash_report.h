// What is said of an arm64 guest that crashed: one line for the verdict, and the full report.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "addrspace/guest_memory.h"
#include "boot/symbols.h"
#include "vmm/aarch64/cpu_state.h"
#include "vmm/exit_record.h"

namespace nestling::aarch64 {

/// A vCPU that stopped for good, and what led there. Names, memory and the console line are the
/// guest's: hostile bytes in them reach no terminal.
struct CrashScene {
  std::uint32_t vcpu = 0;
  CpuState cpu;
  /// Must outlive the scene.
  GuestMemory& memory;
  /// Must outlive the scene; may be empty.
  const SymbolTable& symbols;
  /// Oldest first.
  std::span<const ExitRecord> last_exits;
  /// How many there were in all.
  std::uint64_t exit_count = 0;
  std::string_view last_console_line;
};

/// "0x40081234 in crash_now()+0x14", or the bare address where no symbol covers it: PC, or where
/// the exception was that the boot protocol's vectors caught.
[[nodiscard]] std::string location(const CrashScene& scene);

/// The verdict's reason for a guest without vectors: "exception without a handler at 0x40081234 in
/// crash_now()+0x14: undefined instruction".
[[nodiscard]] std::string unhandled_exception_reason(const CrashScene& scene);

/// The reason why a CPU that goes round in exceptions will never do anything else; empty for one
/// that does not.
[[nodiscard]] std::string exception_loop_reason(const CrashScene& scene);

/// The report: registers, bytes at PC, page walks of PC, SP and FAR, a backtrace, the last exits
/// and the last console line. Lines end with a newline. Whatever the guest left in registers and
/// memory, this ends soon and says what could not be read.
[[nodiscard]] std::string crash_report(const CrashScene& scene);

}  // namespace nestling::aarch64
