// The registers of the PL031, brought up to now at each access.
#include "devices/pl031.h"

#include <algorithm>
#include <chrono>

namespace nestling {

namespace {

constexpr std::uint64_t kData = 0x00;
constexpr std::uint64_t kMatch = 0x04;
constexpr std::uint64_t kLoad = 0x08;
constexpr std::uint64_t kControl = 0x0c;
constexpr std::uint64_t kInterruptMask = 0x10;
constexpr std::uint64_t kRawInterrupt = 0x14;
constexpr std::uint64_t kMaskedInterrupt = 0x18;
constexpr std::uint64_t kInterruptClear = 0x1c;

constexpr std::uint32_t kStarted = 1;
constexpr std::uint32_t kAlarm = 1;
constexpr PrimeCellId kId{0x0004'1031};

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

Pl031::Pl031(const Clock& clock, TimerService& timers, IrqLine& irq)
    : clock_(clock), timers_(timers), irq_(irq), second_(seconds_of(clock.now())) {}

Pl031::~Pl031() { timers_.disarm(*this); }

bool Pl031::may_interrupt() const {
  const std::lock_guard lock(mutex_);
  return alarm().has_value();
}

void Pl031::timer_expired() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  advance();
  settle();
}

std::uint32_t Pl031::read_word(std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  advance();
  settle();
  switch (offset) {
    case kData:
      return count();
    case kMatch:
      return match_;
    case kLoad:
      return load_;
    case kControl:
      return kStarted;
    case kInterruptMask:
      return enabled_ ? kAlarm : 0;
    case kRawInterrupt:
      return raised_ ? kAlarm : 0;
    case kMaskedInterrupt:
      return enabled_ && raised_ ? kAlarm : 0;
    default:
      return primecell_id_register(kId, offset).value_or(0);
  }
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): WordDevice's signature.
void Pl031::write_word(std::uint64_t offset, std::uint32_t value) {
  const std::lock_guard lock(mutex_);
  advance();
  switch (offset) {
    case kMatch:
      match_ = value;
      raised_ = raised_ || count() == match_;
      break;
    case kLoad:
      load_ = value;
      offset_ = value - static_cast<std::uint32_t>(second_);
      raised_ = raised_ || count() == match_;
      break;
    case kInterruptMask:
      enabled_ = (value & kAlarm) != 0;
      break;
    case kInterruptClear:
      raised_ = raised_ && (value & kAlarm) == 0;
      break;
    default:  // a clock that is started stays so
      break;
  }
  settle();
}

void Pl031::advance() {
  const std::uint32_t before = count();
  const std::int64_t last = second_;
  second_ = std::max(last, seconds_of(clock_.now()));
  // Between 1 and 2^32 seconds from `before` the counter shows the match register.
  const std::int64_t to_alarm = std::int64_t{static_cast<std::uint32_t>(match_ - before - 1)} + 1;
  raised_ = raised_ || second_ - last >= to_alarm;
}

std::uint32_t Pl031::count() const { return static_cast<std::uint32_t>(second_) + offset_; }

std::optional<WallTime> Pl031::alarm() const {
  if (!enabled_ || raised_) {
    return std::nullopt;
  }
  const std::int64_t wait = std::int64_t{static_cast<std::uint32_t>(match_ - count() - 1)} + 1;
  return WallTime(std::chrono::seconds(second_ + wait));
}

void Pl031::settle() {
  const IrqLevel level = enabled_ && raised_ ? IrqLevel::kHigh : IrqLevel::kLow;
  if (level != level_) {
    level_ = level;
    irq_.set(level);
  }
  const std::optional<WallTime> next = alarm();
  if (next == armed_) {
    return;
  }
  armed_ = next;
  if (next) {
    timers_.arm(*this, *next);
  } else {
    timers_.disarm(*this);
  }
}

}  // namespace nestling
