// FakeIrqLine: an interrupt line that remembers its level and counts its edges.
#pragma once

#include <mutex>

#include "devices/irq_line.h"

namespace nestling {

class FakeIrqLine final : public IrqLine {
 public:
  void set(IrqLevel level) override {
    const std::lock_guard lock(mutex_);
    rising_edges_ += (level == IrqLevel::kHigh && level_ == IrqLevel::kLow) ? 1 : 0;
    level_ = level;
  }

  [[nodiscard]] bool is_high() const {
    const std::lock_guard lock(mutex_);
    return level_ == IrqLevel::kHigh;
  }
  /// Edges from low to high since the last call: what an edge-triggered controller latches.
  [[nodiscard]] int take_rising_edges() {
    const std::lock_guard lock(mutex_);
    const int edges = rising_edges_;
    rising_edges_ = 0;
    return edges;
  }

 private:
  mutable std::mutex mutex_;
  IrqLevel level_ = IrqLevel::kLow;
  int rising_edges_ = 0;
};

}  // namespace nestling
