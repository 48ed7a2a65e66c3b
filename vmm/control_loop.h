// ControlLoop: the thread beside the vCPUs: signals, the deadline, input for the guest, regular
// looks.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"

namespace nestling {

/// While it lives, the signals that ask the program to stop (SIGINT, SIGTERM, SIGHUP) are held back
/// in the thread that made it and in every thread that one starts: only a ControlLoop receives
/// them.
class StopSignalsHeld {
 public:
  StopSignalsHeld();
  ~StopSignalsHeld();
  StopSignalsHeld(const StopSignalsHeld&) = delete;
  StopSignalsHeld& operator=(const StopSignalsHeld&) = delete;

 private:
  sigset_t before_{};
};

/// What a ControlLoop tells, each from its own thread.
class ControlEvents {
 public:
  virtual ~ControlEvents() = default;

  /// One of the held signals came.
  virtual void on_stop_signal(int signal) = 0;
  /// The deadline passed; told once.
  virtual void on_deadline() = 0;
  /// Another period is over.
  virtual void on_tick() = 0;
  /// Bytes from the input. Returns how many were taken, from the front; the rest is offered again
  /// after wake_input().
  [[nodiscard]] virtual std::size_t on_input(std::span<const std::byte> bytes) = 0;
  /// The input ended, and all of it was taken.
  virtual void on_input_end() = 0;
};

/// Owns its thread: it runs from start() to destruction. StopSignalsHeld must be in force.
class ControlLoop {
 public:
  struct Config {
    /// Where bytes for the guest come from; -1 for nowhere. Stays the caller's.
    int input_fd = -1;
    std::optional<std::chrono::steady_clock::time_point> deadline;
    /// Time between two on_tick().
    std::chrono::milliseconds period{100};
  };

  /// `events` must outlive the loop. Fails with kHostRefused.
  [[nodiscard]] static Result<std::unique_ptr<ControlLoop>> start(const Config& config,
                                                                  ControlEvents& events);

  ControlLoop(const ControlLoop&) = delete;
  ControlLoop& operator=(const ControlLoop&) = delete;
  /// Stops the thread and waits for it; no event is told afterwards.
  ~ControlLoop();

  /// Makes the thread end soon, without waiting for it: an event that is being told goes on. Any
  /// thread.
  void request_stop();

  /// Offers untaken input again. Any thread.
  void wake_input();

 private:
  ControlLoop(const Config& config, ControlEvents& events, UniqueFd signals, UniqueFd wake)
      : config_(config),
        events_(events),
        signals_(std::move(signals)),
        wake_(std::move(wake)),
        input_open_(config.input_fd >= 0) {}

  void loop();
  [[nodiscard]] int timeout_ms(std::chrono::steady_clock::time_point next_tick) const;
  void take_signal();
  void read_input();
  void offer_input();

  Config config_;
  ControlEvents& events_;
  UniqueFd signals_;
  UniqueFd wake_;
  std::atomic<bool> stopping_ = false;

  // The thread's own.
  bool input_open_;
  bool deadline_told_ = false;
  std::vector<std::byte> untaken_;

  std::thread thread_;
};

}  // namespace nestling
