// Waiting for the earliest of a few timers.
#include "vmm/timer_thread.h"

#include <algorithm>

#include "base/thread.h"

namespace nestling {

void TimerThread::arm(TimerClient& client, WallTime when) {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    return;
  }
  if (!thread_.joinable()) {
    auto thread = start_thread("the devices' timers", [this] { loop(); });
    if (!thread) {
      // The guest chose the moment; it goes on without this interrupt, and the user is told.
      log_.warn("{}: an interrupt of a device is lost", thread.error().message);
      return;
    }
    thread_ = *std::move(thread);
  }
  armed_[&client] = when;
  changed_.notify_one();
}

void TimerThread::disarm(TimerClient& client) {
  const std::lock_guard lock(mutex_);
  armed_.erase(&client);
}

void TimerThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void TimerThread::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto earliest =
        std::min_element(armed_.begin(), armed_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (earliest == armed_.end()) {
      changed_.wait(lock);
      continue;
    }
    const auto left = earliest->second - clock_.now();
    if (left > std::chrono::nanoseconds::zero()) {
      changed_.wait_for(lock, left);
      continue;
    }
    TimerClient* const client = earliest->first;
    armed_.erase(earliest);
    lock.unlock();  // the client takes its own lock, and may arm itself again
    client->timer_expired();
    lock.lock();
  }
}

}  // namespace nestling
