// The mode for programs, ring 3 or EL0: functions of a file user.cpp called there, with a return by
// system call.
#pragma once

#include <cstdint>

#include "guest/kit/paging.h"

namespace nestling::guest {

/// A function that runs in user mode. It stands in a file user.cpp, whose pages kernel.ld keeps
/// apart, and may touch that file's data and the user stack only.
using UserFunction = std::uint64_t (*)(std::uint64_t argument);

/// Opens the pages of user.cpp and of the user stack to user mode, and lets it use floating point.
void open_user_mode(PageTables& tables);

/// Runs `function` in user mode with interrupts off; gives what it returns, or what a handler
/// passed to leave_user_mode(). Not reentrant.
[[nodiscard]] std::uint64_t run_in_user_mode(UserFunction function, std::uint64_t argument);

/// For a handler that was entered from user mode: does not return to it, but makes
/// run_in_user_mode() return `result`.
extern "C" [[noreturn]] void leave_user_mode(std::uint64_t result);

}  // namespace nestling::guest
