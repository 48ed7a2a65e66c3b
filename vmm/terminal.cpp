// Raw mode, and the signal handlers that leave and enter it.
#include "vmm/terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>

#include "base/check.h"

namespace nestling {

namespace {

constexpr std::array kFatalSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
constexpr std::array kJobSignals = {SIGTSTP, SIGCONT};
constexpr std::size_t kSignalCount = kFatalSignals.size() + kJobSignals.size();

/// What the signal handlers need. The one piece of global state in the program: a handler has no
/// argument that could carry it. Written while no handler is installed.
struct State {
  int fd = -1;
  termios cooked{};
  termios raw{};
  std::array<struct sigaction, kSignalCount> old_actions{};
};
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): see State.
State state;
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): see State.
std::atomic<bool> in_use = false;

constexpr int signal_at(std::size_t i) {
  return i < kFatalSignals.size() ? kFatalSignals.at(i) : kJobSignals.at(i - kFatalSignals.size());
}

/// Sets the terminal's mode unless that would stop this process for being in the background.
/// Async-signal-safe.
void set_mode(const termios& mode) {
  const pid_t foreground = tcgetpgrp(state.fd);
  if (foreground == -1 || foreground == getpgrp()) {
    // A terminal that went away has no mode to keep.
    (void)tcsetattr(state.fd, TCSANOW, &mode);
  }
}

void handle_fatal(int number, siginfo_t* info, void* /*context*/) {
  set_mode(state.cooked);
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    if (signal_at(i) == number) {
      sigaction(number, &state.old_actions.at(i), nullptr);
    }
  }
  // A fault comes again when the handler returns, and abort() goes on by itself; a signal that was
  // sent does not.
  if (info->si_code <= 0) {
    (void)raise(number);
  }
}

void handle_job_signal(int number, siginfo_t* /*info*/, void* /*context*/) {
  const int old_errno = errno;
  if (number == SIGTSTP) {
    set_mode(state.cooked);
    (void)raise(SIGSTOP);
  } else {
    set_mode(state.raw);
  }
  errno = old_errno;
}

termios raw_mode(termios mode, InterruptKey interrupt_key) {
  mode.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN);
  mode.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB);
  mode.c_cflag |= CS8;
  if (interrupt_key == InterruptKey::kGuest) {
    mode.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  } else {
    mode.c_cc[VQUIT] = _POSIX_VDISABLE;
    mode.c_cc[VSUSP] = _POSIX_VDISABLE;
  }
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  return mode;
}

}  // namespace

RawTerminal::RawTerminal(int fd, InterruptKey interrupt_key) : is_terminal_(isatty(fd) == 1) {
  if (!is_terminal_) {
    return;
  }
  check(!in_use.exchange(true), "two raw terminals");
  state.fd = fd;
  (void)tcgetattr(fd, &state.cooked);  // succeeds where isatty() does, being how it asks
  state.raw = raw_mode(state.cooked, interrupt_key);
  for (std::size_t i = 0; i < kSignalCount; ++i) {
    struct sigaction action {};
    action.sa_sigaction = i < kFatalSignals.size() ? handle_fatal : handle_job_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    sigaction(signal_at(i), &action, &state.old_actions.at(i));
  }
  set_mode(state.raw);
}

RawTerminal::~RawTerminal() {
  if (!is_terminal_) {
    return;
  }
  set_mode(state.cooked);
  for (std::size_t i = 0; i < kSignalCount; ++i) {
    sigaction(signal_at(i), &state.old_actions.at(i), nullptr);
  }
  in_use = false;
}

}  // namespace nestling
