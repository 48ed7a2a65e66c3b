// Time kept lazily: each access first brings the flags up to now.
#include "devices/cmos_rtc.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace nestling {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

// Registers; the time's are in time_register().
constexpr std::uint8_t kSecondAlarm = 0x01;
constexpr std::uint8_t kMinuteAlarm = 0x03;
constexpr std::uint8_t kHourAlarm = 0x05;
constexpr std::uint8_t kRegisterA = 0x0a;
constexpr std::uint8_t kRegisterB = 0x0b;
constexpr std::uint8_t kRegisterC = 0x0c;
constexpr std::uint8_t kRegisterD = 0x0d;
constexpr std::uint8_t kIndexMask = 0x7f;

// Register A.
constexpr std::uint8_t kUpdateInProgress = 0x80;
constexpr std::uint8_t kDividerReset = 0x60;  // both bits: the chain stands still
constexpr std::uint8_t kRateMask = 0x0f;
constexpr std::uint8_t kAfterFirmwareA = 0x26;  // 32.768 kHz, 1024 periodic interrupts a second

// Register B; the enables stand where the flags stand in register C.
constexpr std::uint8_t kSet = 0x80;
constexpr std::uint8_t kPeriodic = 0x40;
constexpr std::uint8_t kAlarm = 0x20;
constexpr std::uint8_t kUpdateEnded = 0x10;
constexpr std::uint8_t kInterruptMask = kPeriodic | kAlarm | kUpdateEnded;
constexpr std::uint8_t kBinary = 0x04;
constexpr std::uint8_t k24Hours = 0x02;

// Registers C and D.
constexpr std::uint8_t kInterruptRequest = 0x80;
constexpr std::uint8_t kBatteryGood = 0x80;

constexpr std::int64_t kTicksPerSecond = 32'768;
/// 244 µs of warning and 1984 µs of update (datasheet, "Update Cycle Times").
constexpr std::int64_t kUpdateTicks = 8 + 65;
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

using TimeRegister = std::uint8_t RtcRegisters::*;

/// The part of the time that the register shows, or null.
TimeRegister time_register(std::uint8_t index) {
  switch (index) {
    case 0x00:
      return &RtcRegisters::second;
    case 0x02:
      return &RtcRegisters::minute;
    case 0x04:
      return &RtcRegisters::hour;
    case 0x06:
      return &RtcRegisters::weekday;
    case 0x07:
      return &RtcRegisters::day;
    case 0x08:
      return &RtcRegisters::month;
    case 0x09:
      return &RtcRegisters::year;
    case 0x32:
      return &RtcRegisters::century;
    default:
      return nullptr;
  }
}

/// Little-endian into `target`; the largest number that fits for one that does not.
void put_size(std::span<std::uint8_t> target, std::uint64_t value) {
  const std::uint64_t fitting = std::min(value, (std::uint64_t{1} << (8 * target.size())) - 1);
  for (std::size_t i = 0; i < target.size(); ++i) {
    target[i] = static_cast<std::uint8_t>(fitting >> (8 * i));
  }
}

std::uint64_t bytes_above(std::uint64_t size, std::uint64_t start) {
  return size > start ? size - start : 0;
}

}  // namespace

std::int64_t CmosRtc::Instant::ticks() const { return second * kTicksPerSecond + tick; }

CmosRtc::CmosRtc(const Clock& clock, TimerService& timers, IrqLine& irq, MemorySizes memory)
    : clock_(clock), timers_(timers), irq_(irq), last_(clock.now()) {
  constexpr std::uint64_t kKib = 1024;
  constexpr std::uint64_t kMib = 1024 * kKib;
  memory_.at(kRegisterA) = kAfterFirmwareA;
  memory_.at(kRegisterB) = k24Hours;
  const std::span<std::uint8_t> bytes(memory_);
  put_size(bytes.subspan(0x15, 2), std::min(memory.below_4gib / kKib, std::uint64_t{640}));
  put_size(bytes.subspan(0x17, 2), bytes_above(memory.below_4gib, kMib) / kKib);
  put_size(bytes.subspan(0x30, 2), bytes_above(memory.below_4gib, kMib) / kKib);
  put_size(bytes.subspan(0x34, 2), bytes_above(memory.below_4gib, 16 * kMib) / (64 * kKib));
  put_size(bytes.subspan(0x5b, 3), memory.above_4gib / (64 * kKib));
}

CmosRtc::~CmosRtc() { timers_.disarm(*this); }

bool CmosRtc::may_interrupt() const {
  const std::lock_guard lock(mutex_);
  return next_interrupt().has_value();
}

void CmosRtc::timer_expired() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  advance();
  settle();
}

std::uint8_t CmosRtc::read_byte(std::uint64_t offset) {
  if (offset != 1) {
    return 0xff;  // the index can only be written
  }
  const std::lock_guard lock(mutex_);
  advance();
  const std::uint8_t value = read_register();
  settle();
  return value;
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): ByteDevice's signature.
void CmosRtc::write_byte(std::uint64_t offset, std::uint8_t value) {
  const std::lock_guard lock(mutex_);
  if (offset == 0) {
    index_ = value & kIndexMask;
  } else if (offset == 1) {
    advance();
    write_register(value);
    settle();
  }
}

std::uint8_t CmosRtc::read_register() {
  if (const TimeRegister part = time_register(index_); part != nullptr) {
    return (counts() ? encode_rtc_time(shown(), format()) : held_).*part;
  }
  switch (index_) {
    case kRegisterA: {
      const bool updates = counts() && instant(last_).tick >= kTicksPerSecond - kUpdateTicks;
      return memory_.at(kRegisterA) | (updates ? kUpdateInProgress : 0);
    }
    case kRegisterC: {
      const bool requests = (flags_ & memory_.at(kRegisterB) & kInterruptMask) != 0;
      const auto value = static_cast<std::uint8_t>(flags_ | (requests ? kInterruptRequest : 0));
      flags_ = 0;
      return value;
    }
    case kRegisterD:
      return kBatteryGood;
    default:
      return memory_.at(index_);
  }
}

void CmosRtc::write_register(std::uint8_t value) {
  if (const TimeRegister part = time_register(index_); part != nullptr) {
    if (!counts()) {
      held_.*part = value;
      return;
    }
    RtcRegisters registers = encode_rtc_time(shown(), format());
    registers.*part = value;
    show(decode_rtc_time(registers, format()));
    return;
  }
  switch (index_) {
    case kRegisterA:
    case kRegisterB:
      write_control(value);
      break;
    case kRegisterC:
    case kRegisterD:
      break;
    default:
      memory_.at(index_) = value;
      break;
  }
}

void CmosRtc::write_control(std::uint8_t value) {
  const bool counted = counts();
  const bool divider_ran = divider_runs();
  // In the old format: a guest that changes the format has to set the time anew.
  const RtcRegisters before = encode_rtc_time(shown(), format());
  if (index_ == kRegisterA) {
    memory_.at(kRegisterA) = value & static_cast<std::uint8_t>(~kUpdateInProgress);
  } else {
    const bool sets = (value & kSet) != 0;
    memory_.at(kRegisterB) = sets ? value & static_cast<std::uint8_t>(~kUpdateEnded) : value;
  }
  if (!divider_ran && divider_runs()) {
    phase_ = last_ - milliseconds(500);  // the first second of a released chain is a half
  }
  if (counted && !counts()) {
    held_ = before;
  } else if (!counted && counts()) {
    show(decode_rtc_time(held_, format()));
  }
}

void CmosRtc::advance() {
  const Instant before = instant(last_);
  last_ = std::max(last_, clock_.now());
  const Instant now = instant(last_);
  if (period() != 0 && now.ticks() / period() != before.ticks() / period()) {
    flags_ |= kPeriodic;
  }
  if (!counts() || now.second == before.second) {
    return;
  }
  flags_ |= kUpdateEnded;
  const auto alarm = seconds_to_alarm(before.second);
  if (alarm && *alarm <= now.second - before.second) {
    flags_ |= kAlarm;
  }
}

void CmosRtc::settle() {
  const bool requests = (flags_ & memory_.at(kRegisterB) & kInterruptMask) != 0;
  const IrqLevel level = requests ? IrqLevel::kHigh : IrqLevel::kLow;
  if (level != level_) {
    level_ = level;
    irq_.set(level);
  }
  const std::optional<WallTime> next = next_interrupt();
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

std::optional<WallTime> CmosRtc::next_interrupt() const {
  const std::uint8_t enabled = memory_.at(kRegisterB);
  if ((flags_ & enabled & kInterruptMask) != 0) {
    return std::nullopt;
  }
  const Instant now = instant(last_);
  std::optional<WallTime> next;
  const auto consider = [&](const Instant& candidate) {
    const WallTime time = time_of(candidate);
    next = next ? std::min(*next, time) : time;
  };
  if ((enabled & kPeriodic) != 0 && period() != 0) {
    const std::int64_t ticks = (now.ticks() / period() + 1) * period();
    consider({.second = ticks / kTicksPerSecond, .tick = ticks % kTicksPerSecond});
  }
  if ((enabled & kUpdateEnded) != 0 && counts()) {
    consider({.second = now.second + 1, .tick = 0});
  }
  if ((enabled & kAlarm) != 0 && counts()) {
    const auto alarm = seconds_to_alarm(now.second);
    if (alarm) {
      consider({.second = now.second + *alarm, .tick = 0});
    }
  }
  return next;
}

std::optional<std::int64_t> CmosRtc::seconds_to_alarm(std::int64_t second) const {
  const RtcAlarm alarm = {.second = memory_.at(kSecondAlarm),
                          .minute = memory_.at(kMinuteAlarm),
                          .hour = memory_.at(kHourAlarm)};
  const auto wait = wait_for_rtc_alarm(alarm, sys_seconds(seconds(second) + offset_), format());
  return wait ? std::optional(wait->count()) : std::nullopt;
}

CmosRtc::Instant CmosRtc::instant(WallTime time) const {
  const std::int64_t passed = nanoseconds(time - phase_).count();
  return {.second = passed / kNanosecondsPerSecond,
          .tick = passed % kNanosecondsPerSecond * kTicksPerSecond / kNanosecondsPerSecond};
}

WallTime CmosRtc::time_of(const Instant& instant) const {
  // Rounded up: at that time the tick has come.
  const std::int64_t fraction =
      (instant.tick * kNanosecondsPerSecond + kTicksPerSecond - 1) / kTicksPerSecond;
  return phase_ + seconds(instant.second) + nanoseconds(fraction);
}

RtcFormat CmosRtc::format() const {
  const std::uint8_t control = memory_.at(kRegisterB);
  return {
      .numbers = (control & kBinary) != 0 ? RtcFormat::Numbers::kBinary : RtcFormat::Numbers::kBcd,
      .hours = (control & k24Hours) != 0 ? RtcFormat::Hours::k24 : RtcFormat::Hours::k12};
}

RtcTime CmosRtc::shown() const {
  return {.time = sys_seconds(seconds(instant(last_).second) + offset_),
          .weekday_shift = weekday_shift_};
}

void CmosRtc::show(const RtcTime& time) {
  offset_ = time.time.time_since_epoch() - seconds(instant(last_).second);
  weekday_shift_ = time.weekday_shift;
}

bool CmosRtc::divider_runs() const {
  return (memory_.at(kRegisterA) & kDividerReset) != kDividerReset;
}

bool CmosRtc::counts() const { return divider_runs() && (memory_.at(kRegisterB) & kSet) == 0; }

std::int64_t CmosRtc::period() const {
  const unsigned rate = memory_.at(kRegisterA) & kRateMask;
  if (rate == 0 || !divider_runs()) {
    return 0;
  }
  // The two fastest settings of a slower crystal give rates that exist further down.
  const unsigned shift = rate <= 2 ? rate + 6 : rate - 1;
  return std::int64_t{1} << shift;
}

}  // namespace nestling
