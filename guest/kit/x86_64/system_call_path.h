// How ring 3's system call reaches the kernel, which depends on the host.
#pragma once

#include <cstdint>

namespace nestling::guest::x86_64 {

/// How INT 0x80 from ring 3 reached the kernel: as it should, or as #UD where the host's KVM does
/// not know software interrupts.
enum class SystemCallPath : std::uint8_t { kGate, kInvalidOpcode };
/// The path of the last run_in_user_mode() that returned by itself.
[[nodiscard]] SystemCallPath last_system_call_path();

}  // namespace nestling::guest::x86_64
