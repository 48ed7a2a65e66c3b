// TimerThread: wakes devices at the times they ask for, on a thread that exists once one asks.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "devices/clock.h"
#include "devices/timer_service.h"

namespace nestling {

/// The host's wall clock when it was made, and from then on as steady as the host's monotonic
/// clock: never goes backwards, whatever is done to the host's date. Thread-safe.
class SteadyWallClock final : public Clock {
 public:
  [[nodiscard]] WallTime now() const override {
    return wall_at_start_ + (std::chrono::steady_clock::now() - steady_at_start_);
  }

 private:
  WallTime wall_at_start_ = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point steady_at_start_ = std::chrono::steady_clock::now();
};

/// Any thread may call it.
class TimerThread final : public TimerService {
 public:
  /// Both must outlive this.
  TimerThread(const Clock& clock, const Log& log) : clock_(clock), log_(log) {}

  TimerThread(const TimerThread&) = delete;
  TimerThread& operator=(const TimerThread&) = delete;
  ~TimerThread() override { stop(); }

  void arm(TimerClient& client, WallTime when) override;
  void disarm(TimerClient& client) override;

  /// Calls nobody from now on, and returns when no call is running.
  void stop();

 private:
  void loop();

  const Clock& clock_;
  const Log& log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<TimerClient*, WallTime> armed_;  // guarded by mutex_, as is all below
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace nestling
