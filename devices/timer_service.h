// TimerService: wakes a device when its time has come, though no vCPU touches it.
#pragma once

#include "devices/clock.h"

namespace nestling {

/// Who is woken. A call may come late, or without need when the timer was changed meanwhile: look
/// at the clock.
class TimerClient {
 public:
  virtual ~TimerClient() = default;
  virtual void timer_expired() = 0;
};

/// One timer for each client. Any thread may call it, also from inside timer_expired(); clients
/// call it with locks of their own held, so it calls them without any of its own.
class TimerService {
 public:
  virtual ~TimerService() = default;

  /// Calls `client` once when the clock shows `when` or later; replaces what was armed for it.
  /// `client` must live until it is disarmed.
  virtual void arm(TimerClient& client, WallTime when) = 0;
  /// No call of `client` begins once this has returned; one may still be running, which the machine
  /// excludes by stopping the service before it destroys devices.
  virtual void disarm(TimerClient& client) = 0;
};

}  // namespace nestling
