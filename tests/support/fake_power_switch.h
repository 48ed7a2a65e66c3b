// FakePowerSwitch: writes down each request, so that a test sees all of them and their order.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "devices/power_switch.h"

namespace nestling {

class FakePowerSwitch final : public PowerSwitch {
 public:
  void guest_exit(std::uint64_t status) override { note(fmt::format("exit {:#x}", status)); }
  void reset(std::string_view how) override { note(fmt::format("reset: {}", how)); }
  void panic(std::string_view what) override { note(fmt::format("panic: {}", what)); }

  void unhandled_exception(std::string_view what) override {
    note(fmt::format("unhandled exception: {}", what));
  }

  /// "exit 0x3", "reset: …", "panic: …", "unhandled exception: …", in the order they came.
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void note(std::string request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }

  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
};

}  // namespace nestling
