// One poll() over signals, input and a wake-up counter.
#include "vmm/control_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/thread.h"

namespace nestling {

namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

StopSignalsHeld::StopSignalsHeld() {
  const sigset_t held = stop_signals();
  pthread_sigmask(SIG_BLOCK, &held, &before_);
}

StopSignalsHeld::~StopSignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Result<std::unique_ptr<ControlLoop>> ControlLoop::start(const Config& config,
                                                        ControlEvents& events) {
  const sigset_t watched = stop_signals();
  UniqueFd signals(signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signals || !wake) {
    return failure(host_error("cannot watch for signals", errno));
  }
  std::unique_ptr<ControlLoop> loop(
      new ControlLoop(config, events, std::move(signals), std::move(wake)));
  auto thread = start_thread("signals and input", [&each = *loop] { each.loop(); });
  if (!thread) {
    return failure(thread.error());
  }
  loop->thread_ = *std::move(thread);
  return loop;
}

void ControlLoop::request_stop() {
  stopping_ = true;
  wake_input();
}

ControlLoop::~ControlLoop() {
  request_stop();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ControlLoop::wake_input() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the thread is awake already.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

int ControlLoop::timeout_ms(std::chrono::steady_clock::time_point next_tick) const {
  auto next = next_tick;
  if (config_.deadline && !deadline_told_) {
    next = std::min(next, *config_.deadline);
  }
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void ControlLoop::take_signal() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == sizeof info) {
    events_.on_stop_signal(static_cast<int>(info.ssi_signo));
  }
}

void ControlLoop::read_input() {
  constexpr std::size_t kChunk = 4096;
  untaken_.resize(kChunk);
  const ssize_t count = read(config_.input_fd, untaken_.data(), untaken_.size());
  untaken_.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  const bool interrupted = count < 0 && (errno == EINTR || errno == EAGAIN);
  input_open_ = count > 0 || interrupted;
  offer_input();
}

void ControlLoop::offer_input() {
  if (!untaken_.empty()) {
    const std::size_t taken = events_.on_input(untaken_);
    untaken_.erase(untaken_.begin(), untaken_.begin() + static_cast<std::ptrdiff_t>(taken));
  } else if (!input_open_ && config_.input_fd >= 0) {
    config_.input_fd = -1;
    events_.on_input_end();
  }
}

void ControlLoop::loop() {
  using std::chrono::steady_clock;
  auto next_tick = steady_clock::now() + config_.period;
  while (!stopping_) {
    const int input = input_open_ && untaken_.empty() ? config_.input_fd : -1;
    std::array<pollfd, 3> polled = {
        pollfd{.fd = signals_.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
        pollfd{.fd = input, .events = POLLIN, .revents = 0},
    };
    poll(polled.data(), polled.size(), timeout_ms(next_tick));
    if (polled[0].revents != 0) {
      take_signal();
    }
    if (polled[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof count);
      offer_input();
    }
    if (polled[2].revents != 0) {
      read_input();
    }
    const auto now = steady_clock::now();
    if (config_.deadline && !deadline_told_ && now >= *config_.deadline) {
      deadline_told_ = true;
      events_.on_deadline();
    }
    if (now >= next_tick) {
      next_tick = now + config_.period;
      events_.on_tick();
    }
  }
}

}  // namespace nestling
