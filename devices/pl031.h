// Pl031: Arm's real-time clock, which counts seconds and has one alarm.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>

#include "devices/clock.h"
#include "devices/irq_line.h"
#include "devices/primecell_id.h"
#include "devices/timer_service.h"
#include "devices/wake_source.h"
#include "devices/word_device.h"

namespace nestling {

/// A PrimeCell PL031 (Arm DDI 0224). It shows the seconds since 1970 of a Clock until the guest
/// loads others, and is started already, as firmware leaves it. The alarm is the second that equals
/// the match register: its interrupt stays until it is cleared.
///
/// Any thread may call anything.
class Pl031 final : public WordDevice, public WakeSource, public TimerClient {
 public:
  static constexpr std::uint64_t kSize = kPrimeCellSize;

  /// All three must outlive the clock; `timers` and `irq` are called with its lock held.
  Pl031(const Clock& clock, TimerService& timers, IrqLine& irq);
  Pl031(const Pl031&) = delete;
  Pl031& operator=(const Pl031&) = delete;
  ~Pl031() override;

  /// True while the alarm is enabled and has not come.
  [[nodiscard]] bool may_interrupt() const override;
  void timer_expired() override;

 protected:
  [[nodiscard]] std::uint32_t read_word(std::uint64_t offset) override;
  void write_word(std::uint64_t offset, std::uint32_t value) override;

 private:
  /// Looks at the clock, and whether the alarm came since the last look.
  void advance();
  /// The counter at the latest advance(); wraps every 136 years.
  [[nodiscard]] std::uint32_t count() const;
  /// When the alarm comes, if it can.
  [[nodiscard]] std::optional<WallTime> alarm() const;
  /// What follows from every change: the interrupt line and the timer.
  void settle();

  const Clock& clock_;
  TimerService& timers_;
  IrqLine& irq_;

  mutable std::mutex mutex_;  // guards all below
  std::int64_t second_ = 0;   // since 1970, at the latest advance()
  std::uint32_t offset_ = 0;  // from that to the counter, modulo its size
  std::uint32_t match_ = 0;
  std::uint32_t load_ = 0;
  bool enabled_ = false;
  bool raised_ = false;
  std::optional<WallTime> armed_;
  IrqLevel level_ = IrqLevel::kLow;
};

}  // namespace nestling
