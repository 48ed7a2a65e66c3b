// VerdictBox: where the parts of a machine agree on how the run ends: the first one to say decides.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <thread>

#include "devices/power_switch.h"
#include "vmm/verdict.h"

namespace nestling {

/// Any thread may propose. The devices' side of it is PowerSwitch.
class VerdictBox final : public PowerSwitch {
 public:
  explicit VerdictBox(ExitCodeStyle style) : style_(style) {}

  /// Decides the run unless it is decided already.
  void propose(Verdict verdict);

  [[nodiscard]] bool is_decided() const { return decided_.load(std::memory_order_acquire); }

  /// True on the thread whose proposal decided the run, directly or through a device.
  [[nodiscard]] bool was_decided_by_this_thread() const;

  /// The decision; there must be one.
  [[nodiscard]] Verdict verdict() const;

  void guest_exit(std::uint64_t status) override;
  void reset(std::string_view how) override;
  void panic(std::string_view what) override;
  void unhandled_exception(std::string_view what) override;

 private:
  const ExitCodeStyle style_;
  mutable std::mutex mutex_;
  std::atomic<bool> decided_ = false;
  Verdict verdict_;
  std::thread::id decider_;
};

}  // namespace nestling
