// Names and exit codes of verdicts.
#include "vmm/verdict.h"

#include <algorithm>

namespace nestling {

std::string_view name(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kGuestExit:
      return "exit";
    case VerdictKind::kTripleFault:
      return "triple-fault";
    case VerdictKind::kReset:
      return "reset";
    case VerdictKind::kGuestPanic:
      return "panic";
    case VerdictKind::kHang:
      return "hang";
    case VerdictKind::kUnhandledExit:
      return "unhandled-exit";
    case VerdictKind::kTimeout:
      return "timeout";
    case VerdictKind::kInterrupted:
      return "interrupted";
    case VerdictKind::kHostRefused:
      return "host-refused";
  }
  return "unknown";
}

std::uint64_t guest_status(std::uint64_t value, ExitCodeStyle style) {
  return style == ExitCodeStyle::kQemu ? (value << 1) | 1 : value;
}

int exit_code(const Verdict& verdict) {
  constexpr std::uint64_t kLargestGuestStatus = 63;
  switch (verdict.kind) {
    case VerdictKind::kGuestExit:
      return static_cast<int>(std::min(verdict.guest_status, kLargestGuestStatus));
    case VerdictKind::kTripleFault:
    case VerdictKind::kReset:
      return 80;
    case VerdictKind::kGuestPanic:
      return 81;
    case VerdictKind::kHang:
      return 82;
    case VerdictKind::kUnhandledExit:
      return 83;
    case VerdictKind::kTimeout:
      return 124;
    case VerdictKind::kInterrupted:
      return 130;
    case VerdictKind::kHostRefused:
      return 71;
  }
  return 70;
}

Verdict with_lost_output(Verdict verdict, const Error& loss) {
  if (verdict.kind == VerdictKind::kGuestExit) {
    return {.kind = VerdictKind::kHostRefused,
            .reason = fmt::format("{} (the guest ended with {})", loss.message, verdict.reason)};
  }
  verdict.reason += fmt::format("; besides, {}", loss.message);
  return verdict;
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return 64;
    case ErrorKind::kBadImage:
      return 65;
    case ErrorKind::kNoInput:
      return 66;
    case ErrorKind::kNoKvm:
      return 69;
    case ErrorKind::kBug:
      return 70;
    case ErrorKind::kHostRefused:
      return 71;
  }
  return 70;
}

}  // namespace nestling
