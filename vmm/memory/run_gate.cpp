// The slow half of the gate: closing it, and waiting at it.
#include "vmm/memory/run_gate.h"

#include <algorithm>

#include "base/check.h"

namespace nestling {

bool RunGate::is_anybody_inside() const {
  return std::any_of(seats_.begin(), seats_.end(),
                     [](const Seat* seat) { return seat->is_inside_.load(); });
}

void RunGate::close() {
  closed_.fetch_add(1);
  for (Seat* const seat : seats_) {
    if (seat->is_inside_.load()) {
      seat->kick_out();
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !is_anybody_inside(); });
}

void RunGate::open() {
  {
    const std::lock_guard lock(mutex_);
    const std::uint32_t before = closed_.fetch_sub(1);
    check(before != 0, "a gate opened that is not closed");
  }
  changed_.notify_all();
}

void RunGate::wait_until_open() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_.load() == 0; });
}

void RunGate::tell_of_leaving() {
  // With the lock held once, who closes the gate either has not looked yet or is waiting.
  { const std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

}  // namespace nestling
