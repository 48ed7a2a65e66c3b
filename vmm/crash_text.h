// The parts of a crash report that are alike on every architecture.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "addrspace/access.h"
#include "addrspace/guest_walk.h"
#include "boot/symbols.h"
#include "vmm/exit_record.h"
#include "vmm/stack_frame.h"

namespace nestling {

/// "crash_now()+0x14", safe for a terminal; empty where no symbol covers the address.
[[nodiscard]] std::string symbol_text(const SymbolTable& symbols, const StackFrame& frame);

/// "0x100234 in crash_now()+0x14", or the bare address where no symbol covers it.
[[nodiscard]] std::string location_text(const SymbolTable& symbols, GuestVirtAddr address);

/// A heading and a line for each frame, then why there are no more.
[[nodiscard]] std::string backtrace_text(const SymbolTable& symbols, const Backtrace& trace);

/// A heading and a line for each of `last`, oldest first, of `count` in all.
[[nodiscard]] std::string exits_text(std::span<const ExitRecord> last, std::uint64_t count);

/// "4 KiB", "2 MiB", "1 GiB": whole units.
[[nodiscard]] std::string page_size_text(std::uint64_t bytes);
/// "rw-".
[[nodiscard]] std::string rights_text(Access access);
/// "read", "write", "fetch".
[[nodiscard]] std::string_view kind_name(AccessKind kind);

}  // namespace nestling
