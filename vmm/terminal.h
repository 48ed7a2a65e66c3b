// RawTerminal: gives the guest the keys of the user's terminal, and the terminal back afterwards.
#pragma once

#include <cstdint>

namespace nestling {

/// Who gets Ctrl-C: the guest as a byte, or this process as SIGINT.
enum class InterruptKey : std::uint8_t { kGuest, kSignal };

/// While it lives, a terminal sends each key at once and unechoed (output is still processed, so
/// "\n" ends lines). Does nothing at all to a descriptor that is no terminal, nor while this
/// process is not in the foreground.
///
/// The terminal is restored by the destructor, before a stop by SIGTSTP, and before death by
/// SIGABRT, SIGSEGV, SIGBUS, SIGILL or SIGFPE; and it is made raw again by SIGCONT. It takes these
/// signals' handlers for its lifetime, so calls interrupted by them fail with EINTR where the
/// kernel does not restart them (KVM_RUN is such a call). Death by other signals must run the
/// destructor.
///
/// At most one at a time: signal handlers have no arguments to tell two apart.
class RawTerminal {
 public:
  /// `fd` must stay open for as long as this lives.
  RawTerminal(int fd, InterruptKey interrupt_key);
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal();

  /// True when `fd` is a terminal: there may be keys to parse.
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

 private:
  bool is_terminal_;
};

}  // namespace nestling
