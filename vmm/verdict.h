// Verdict: the one answer to "how did the run end", with its name, reason and exit code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nestling {

/// Every way a run can end. docs: the verdict table in README.md.
enum class VerdictKind : std::uint8_t {
  kGuestExit,      ///< the guest ended by itself, with a status
  kTripleFault,    ///< the CPU shut down
  kReset,          ///< the guest asked for a reset
  kGuestPanic,     ///< the guest reported that it crashed
  kHang,           ///< no vCPU can ever run again
  kUnhandledExit,  ///< an exit that nobody handles
  kTimeout,        ///< --timeout ran out
  kInterrupted,    ///< the user stopped it
  kHostRefused,    ///< the host refused something the run needed
};

struct Verdict {
  VerdictKind kind = VerdictKind::kUnhandledExit;
  /// Why, as the rest of a sentence: "triple fault at 0x100234 in crash_now+0x14".
  std::string reason;
  /// What the guest wrote to the exit device; meaningful for kGuestExit.
  std::uint64_t guest_status = 0;
};

/// How the value v that a guest writes to the exit port becomes its status.
enum class ExitCodeStyle : std::uint8_t {
  kPlain,  ///< v
  kQemu,   ///< (v << 1) | 1, as QEMU's isa-debug-exit does
};

/// "exit", "triple-fault" …: the word for `kind` in JSON and in tests.
[[nodiscard]] std::string_view name(VerdictKind kind);

/// The status of a guest that wrote `value` to the exit device.
[[nodiscard]] std::uint64_t guest_status(std::uint64_t value, ExitCodeStyle style);

/// The process exit code for `verdict`: a guest status above 63 is 63.
[[nodiscard]] int exit_code(const Verdict& verdict);

/// What `verdict` becomes when output that the user asked for could not be written: a guest's own
/// exit gives way to kHostRefused, which names both; any other end is worth more than the loss.
[[nodiscard]] Verdict with_lost_output(Verdict verdict, const Error& loss);

/// The process exit code for an error that prevented the run, or for one in another command.
[[nodiscard]] int exit_code(ErrorKind kind);

}  // namespace nestling
