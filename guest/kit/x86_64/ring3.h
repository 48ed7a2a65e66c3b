// Ring 3: functions of a file user.cpp called there, with a return by system call.
#pragma once

#include <cstdint>

#include "guest/kit/x86_64/paging.h"

namespace nestling::guest::x86_64 {

/// A function that runs in ring 3. It stands in a file user.cpp, whose pages kernel.ld keeps apart,
/// and may touch that file's data and the user stack only.
using UserFunction = std::uint64_t (*)(std::uint64_t argument);

/// Opens the pages of user.cpp and of the user stack to ring 3, and lets it use SSE and x87.
void open_ring3(PageTables& tables);

/// Runs `function` in ring 3 with interrupts off; gives what it returns, or what a handler passed
/// to leave_ring3(). Not reentrant.
[[nodiscard]] std::uint64_t run_in_ring3(UserFunction function, std::uint64_t argument);

/// How INT 0x80 from ring 3 reached the kernel: as it should, or as #UD where the host's KVM does
/// not know software interrupts.
enum class SystemCallPath : std::uint8_t { kGate, kInvalidOpcode };
/// The path of the last run_in_ring3() that returned by itself.
[[nodiscard]] SystemCallPath last_system_call_path();

/// For a handler that was entered from ring 3: does not return to it, but makes run_in_ring3()
/// return `result`.
extern "C" [[noreturn]] void leave_ring3(std::uint64_t result);

}  // namespace nestling::guest::x86_64
