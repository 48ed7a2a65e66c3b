// CmosRtc: the battery-backed clock of a PC and its 128 bytes of memory, ports 0x70 and 0x71.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "devices/clock.h"
#include "devices/device.h"
#include "devices/irq_line.h"
#include "devices/rtc_calendar.h"
#include "devices/timer_service.h"
#include "devices/wake_source.h"

namespace nestling {

/// An MC146818 (Motorola datasheet) at 32.768 kHz. It shows the time of a Clock until the guest
/// sets another, which lasts as long as the machine. Alarm, update and periodic interrupts arrive
/// through a TimerService; like the chip's, they are raised once until register C is read. The
/// square wave and daylight saving are bits without effect; bit 7 of the index, a PC's NMI mask,
/// too.
///
/// Bytes of its memory that say something about the machine: the century (0x32) and the sizes of
/// memory, as QEMU and SeaBIOS define them.
///
/// Any thread may call anything.
class CmosRtc final : public ByteDevice, public WakeSource, public TimerClient {
 public:
  /// Ports.
  static constexpr std::uint64_t kPortCount = 2;

  /// RAM in bytes.
  struct MemorySizes {
    std::uint64_t below_4gib = 0;
    std::uint64_t above_4gib = 0;
  };

  /// All three must outlive the clock; `timers` and `irq` are called with its lock held.
  CmosRtc(const Clock& clock, TimerService& timers, IrqLine& irq, MemorySizes memory);
  CmosRtc(const CmosRtc&) = delete;
  CmosRtc& operator=(const CmosRtc&) = delete;
  ~CmosRtc() override;

  /// True when an enabled interrupt is still to come.
  [[nodiscard]] bool may_interrupt() const override;
  void timer_expired() override;

 protected:
  [[nodiscard]] std::uint8_t read_byte(std::uint64_t offset) override;
  void write_byte(std::uint64_t offset, std::uint8_t value) override;

 private:
  /// A time as the divider chain counts it: whole seconds, and 1/32768 s of them.
  struct Instant {
    std::int64_t second = 0;
    std::int64_t tick = 0;
    [[nodiscard]] std::int64_t ticks() const;
  };

  [[nodiscard]] Instant instant(WallTime time) const;
  [[nodiscard]] WallTime time_of(const Instant& instant) const;
  [[nodiscard]] RtcFormat format() const;
  /// What the clock shows at the latest advance().
  [[nodiscard]] RtcTime shown() const;
  void show(const RtcTime& time);

  [[nodiscard]] bool divider_runs() const;
  /// True unless the guest stopped the time to set it.
  [[nodiscard]] bool counts() const;
  /// Ticks from one periodic interrupt to the next, or 0 for none.
  [[nodiscard]] std::int64_t period() const;
  /// Seconds from `second`, of an Instant, to the next that the alarm registers name: at least 1.
  [[nodiscard]] std::optional<std::int64_t> seconds_to_alarm(std::int64_t second) const;
  /// When the interrupt line rises next if the guest does nothing.
  [[nodiscard]] std::optional<WallTime> next_interrupt() const;

  [[nodiscard]] std::uint8_t read_register();
  void write_register(std::uint8_t value);
  void write_control(std::uint8_t value);
  /// Sets the flags of all that happened until now.
  void advance();
  /// What follows from every change: the interrupt line and the timer.
  void settle();

  const Clock& clock_;
  TimerService& timers_;
  IrqLine& irq_;

  mutable std::mutex mutex_;  // guards all below
  std::uint8_t index_ = 0;
  std::array<std::uint8_t, 128> memory_{};
  RtcRegisters held_;  // the time while it does not count
  std::uint8_t flags_ = 0;
  WallTime last_;                       // of the latest advance()
  WallTime phase_;                      // when a second began
  std::chrono::seconds offset_{0};      // from seconds since phase_ to the time shown
  std::chrono::days weekday_shift_{0};  // see RtcTime
  std::optional<WallTime> armed_;
  IrqLevel level_ = IrqLevel::kLow;
};

}  // namespace nestling
