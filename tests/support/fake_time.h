// FakeTime: a clock that stands still until it is told, and the timers that depend on it.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>

#include "devices/clock.h"
#include "devices/timer_service.h"

namespace nestling {

/// One thread at a time.
class FakeTime final : public Clock, public TimerService {
 public:
  explicit FakeTime(WallTime start) : now_(start) {}

  [[nodiscard]] WallTime now() const override { return now_; }
  void arm(TimerClient& client, WallTime when) override { armed_[&client] = when; }
  void disarm(TimerClient& client) override { armed_.erase(&client); }

  /// Lets time pass; timers expire at their times, in order.
  void pass(std::chrono::nanoseconds time) {
    const WallTime end = now_ + time;
    while (true) {
      auto next = armed_.end();
      for (auto each = armed_.begin(); each != armed_.end(); ++each) {
        if (each->second <= end && (next == armed_.end() || each->second < next->second)) {
          next = each;
        }
      }
      if (next == armed_.end()) {
        break;
      }
      TimerClient& client = *next->first;
      now_ = std::max(now_, next->second);
      armed_.erase(next);
      client.timer_expired();
    }
    now_ = end;
  }
  /// Lets time pass without anyone being told, as when the host is busy.
  void pass_unnoticed(std::chrono::nanoseconds time) { now_ += time; }

  [[nodiscard]] bool is_armed() const { return !armed_.empty(); }

 private:
  WallTime now_;
  std::map<TimerClient*, WallTime> armed_;
};

}  // namespace nestling
