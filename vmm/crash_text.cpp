// Frames, exits and pages in words.
#include "vmm/crash_text.h"

#include <iterator>

#include <fmt/core.h>

#include "vmm/printable_text.h"

namespace nestling {

std::string symbol_text(const SymbolTable& symbols, const StackFrame& frame) {
  // A call may be its function's last instruction, and the return address the next function's.
  const std::uint64_t back =
      frame.kind == StackFrame::Kind::kCaller && frame.address.value() != 0 ? 1 : 0;
  const auto hit = symbols.find(GuestVirtAddr(frame.address.value() - back));
  return hit ? fmt::format("{}+{:#x}", printable(demangled(hit->symbol.name)), hit->offset + back)
             : std::string();
}

std::string location_text(const SymbolTable& symbols, GuestVirtAddr address) {
  const std::string symbol = symbol_text(symbols, {StackFrame::Kind::kCurrent, address});
  return symbol.empty() ? fmt::format("{:#x}", address.value())
                        : fmt::format("{:#x} in {}", address.value(), symbol);
}

std::string backtrace_text(const SymbolTable& symbols, const Backtrace& trace) {
  std::string text = "backtrace by frame pointers\n";
  std::size_t number = 0;
  for (const StackFrame& frame : trace.frames) {
    fmt::format_to(std::back_inserter(text), "  #{:<2} {:#018x} {}\n", number++,
                   frame.address.value(), symbol_text(symbols, frame));
  }
  return text + fmt::format("  end: {}\n", trace.end);
}

std::string exits_text(std::span<const ExitRecord> last, std::uint64_t count) {
  std::string text = fmt::format("last {} of {} exits, oldest first\n", last.size(), count);
  for (const ExitRecord& exit : last) {
    text += "  " + describe(exit) + "\n";
  }
  return text;
}

std::string page_size_text(std::uint64_t bytes) {
  constexpr std::uint64_t kGiB = 1ULL << 30;
  constexpr std::uint64_t kMiB = 1ULL << 20;
  if (bytes >= kGiB) {
    return fmt::format("{} GiB", bytes / kGiB);
  }
  return bytes >= kMiB ? fmt::format("{} MiB", bytes / kMiB) : fmt::format("{} KiB", bytes / 1024);
}

std::string rights_text(Access access) {
  std::string text;
  text += access.allows(Access::read()) ? 'r' : '-';
  text += access.allows(Access::write()) ? 'w' : '-';
  text += access.allows(Access::execute()) ? 'x' : '-';
  return text;
}

std::string_view kind_name(AccessKind kind) {
  switch (kind) {
    case AccessKind::kWrite:
      return "write";
    case AccessKind::kExecute:
      return "fetch";
    case AccessKind::kRead:
      break;
  }
  return "read";
}

}  // namespace nestling
