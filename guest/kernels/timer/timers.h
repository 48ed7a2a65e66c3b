// The timers of an architecture, each ticking every 5 ms.
#pragma once

#include <span>
#include <string_view>

namespace nestling::guest {

using TickHandler = void (*)();

struct PeriodicTimer {
  std::string_view name;
  void (*start)();
  void (*stop)();
};

/// Prepares the interrupt controllers; `on_tick` is called for each interrupt of any timer.
void set_up_timers(TickHandler on_tick);
[[nodiscard]] std::span<const PeriodicTimer> timers();

}  // namespace nestling::guest
