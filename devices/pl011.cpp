// The registers of the PL011 and what follows from each access.
#include "devices/pl011.h"

#include <algorithm>

namespace nestling {

namespace {

constexpr std::uint64_t kData = 0x00;
constexpr std::uint64_t kErrors = 0x04;
constexpr std::uint64_t kFlags = 0x18;
constexpr std::uint64_t kLowPower = 0x20;
constexpr std::uint64_t kBaudInteger = 0x24;
constexpr std::uint64_t kBaudFraction = 0x28;
constexpr std::uint64_t kLineControl = 0x2c;
constexpr std::uint64_t kControl = 0x30;
constexpr std::uint64_t kFifoLevels = 0x34;
constexpr std::uint64_t kInterruptMask = 0x38;
constexpr std::uint64_t kRawInterrupts = 0x3c;
constexpr std::uint64_t kMaskedInterrupts = 0x40;
constexpr std::uint64_t kInterruptClear = 0x44;
constexpr std::uint64_t kDmaControl = 0x48;

// DR, above the character; RSR has the same bits at 0.
constexpr unsigned kDataErrorShift = 8;
constexpr std::uint32_t kBreakError = 1U << 2;
constexpr std::uint32_t kOverrunError = 1U << 3;

// FR
constexpr std::uint32_t kClearToSend = 1U << 0;
constexpr std::uint32_t kDataSetReady = 1U << 1;
constexpr std::uint32_t kCarrierDetect = 1U << 2;
constexpr std::uint32_t kReceiveEmpty = 1U << 4;
constexpr std::uint32_t kTransmitFull = 1U << 5;
constexpr std::uint32_t kReceiveFull = 1U << 6;
constexpr std::uint32_t kTransmitEmpty = 1U << 7;
constexpr std::uint32_t kRing = 1U << 8;

// LCR_H
constexpr std::uint32_t kSendBreak = 1U << 0;
constexpr std::uint32_t kFifoEnable = 1U << 4;

// CR
constexpr std::uint32_t kUartEnable = 1U << 0;
constexpr std::uint32_t kLoopback = 1U << 7;
constexpr std::uint32_t kTransmitEnable = 1U << 8;
constexpr std::uint32_t kReceiveEnable = 1U << 9;
constexpr std::uint32_t kDataTerminalReady = 1U << 10;
constexpr std::uint32_t kRequestToSend = 1U << 11;
constexpr std::uint32_t kOut1 = 1U << 12;
constexpr std::uint32_t kOut2 = 1U << 13;

// RIS, MIS, IMSC, ICR
constexpr std::uint32_t kRingChanged = 1U << 0;
constexpr std::uint32_t kClearToSendChanged = 1U << 1;
constexpr std::uint32_t kCarrierDetectChanged = 1U << 2;
constexpr std::uint32_t kDataSetReadyChanged = 1U << 3;
constexpr std::uint32_t kReceived = 1U << 4;
constexpr std::uint32_t kTransmitted = 1U << 5;
constexpr std::uint32_t kReceiveTimeout = 1U << 6;
constexpr std::uint32_t kBreakReceived = 1U << 9;
constexpr std::uint32_t kOverrun = 1U << 10;

constexpr std::size_t kFifoSize = 16;
constexpr PrimeCellId kId{0x0024'1011};

/// The interrupts for lines of FR that `changed`.
std::uint32_t modem_interrupts(std::uint32_t changed) {
  std::uint32_t interrupts = 0;
  interrupts |= (changed & kRing) != 0 ? kRingChanged : 0;
  interrupts |= (changed & kClearToSend) != 0 ? kClearToSendChanged : 0;
  interrupts |= (changed & kCarrierDetect) != 0 ? kCarrierDetectChanged : 0;
  interrupts |= (changed & kDataSetReady) != 0 ? kDataSetReadyChanged : 0;
  return interrupts;
}

}  // namespace

Pl011::Pl011(ByteSink& output, IrqLine& irq, RoomListener& room)
    : output_(output), irq_(irq), room_(room) {}

std::size_t Pl011::receive(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  // Switching the FIFOs can put bytes back on a full wire, so it may hold a few more than its size.
  const std::size_t room = kWireSize - std::min(kWireSize, wire_.size());
  const auto taken = bytes.first(std::min(room, bytes.size()));
  wire_.insert(wire_.end(), taken.begin(), taken.end());
  sender_waits_ = taken.size() < bytes.size();
  if ((interrupt_mask_ & (kReceived | kReceiveTimeout)) != 0) {
    arrive();
  }
  update_line();
  return taken.size();
}

void Pl011::input_ended() {
  const std::lock_guard lock(mutex_);
  input_ended_ = true;
}

bool Pl011::may_interrupt() const {
  const std::lock_guard lock(mutex_);
  return (interrupt_mask_ & (kReceived | kReceiveTimeout)) != 0 && !input_ended_ && receives();
}

std::uint32_t Pl011::read_word(std::uint64_t offset) {
  std::uint32_t value = 0;
  bool has_room = false;
  {
    const std::lock_guard lock(mutex_);
    value = read_register(offset);
    update_line();
    has_room = take_room_notice();
  }
  if (has_room) {
    room_.has_room();
  }
  return value;
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): WordDevice's signature.
void Pl011::write_word(std::uint64_t offset, std::uint32_t value) {
  bool has_room = false;
  {
    const std::lock_guard lock(mutex_);
    write_register(offset, value);
    if ((interrupt_mask_ & (kReceived | kReceiveTimeout)) != 0) {
      arrive();
    }
    update_line();
    has_room = take_room_notice();
  }
  if (has_room) {
    room_.has_room();
  }
}

std::uint32_t Pl011::read_register(std::uint64_t offset) {
  switch (offset) {
    case kData:
      return read_data();
    case kErrors:
      return errors_;
    case kFlags:
      arrive();
      return flags();
    case kLowPower:
      return low_power_;
    case kBaudInteger:
      return baud_integer_;
    case kBaudFraction:
      return baud_fraction_;
    case kLineControl:
      return line_control_;
    case kControl:
      return control_;
    case kFifoLevels:
      return fifo_levels_;
    case kInterruptMask:
      return interrupt_mask_;
    case kRawInterrupts:
      return interrupts_;
    case kMaskedInterrupts:
      return interrupts_ & interrupt_mask_;
    case kDmaControl:
      return dma_control_;
    default:
      return primecell_id_register(kId, offset).value_or(0);
  }
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): as write_word().
void Pl011::write_register(std::uint64_t offset, std::uint32_t value) {
  switch (offset) {
    case kData:
      write_data(static_cast<std::uint8_t>(value));
      break;
    case kErrors:  // ECR: whatever is written
      errors_ = 0;
      break;
    case kLowPower:
      low_power_ = value & 0xff;
      break;
    case kBaudInteger:
      baud_integer_ = value & 0xffff;
      break;
    case kBaudFraction:
      baud_fraction_ = value & 0x3f;
      break;
    case kLineControl:
      write_line_control(value & 0xff);
      break;
    case kControl:
      write_control(value & 0xff87);
      break;
    case kFifoLevels:
      fifo_levels_ = value & 0x3f;
      break;
    case kInterruptMask:
      interrupt_mask_ = value & 0x7ff;
      break;
    case kInterruptClear:
      interrupts_ &= ~value;
      break;
    case kDmaControl:
      dma_control_ = value & 0x7;
      break;
    default:
      break;
  }
}

std::uint32_t Pl011::read_data() {
  if (received_.empty()) {
    return 0;
  }
  const Character character = received_.front();
  received_.pop_front();
  // What RSR says belongs to the character read last, but for the overrun, which stays.
  errors_ = (errors_ & kOverrunError) | (character.is_break ? kBreakError : 0);
  const std::uint32_t errors =
      (character.is_break ? kBreakError : 0) | (overrun_ ? kOverrunError : 0);
  interrupts_ &= ~kReceiveTimeout;
  if (received_.size() < trigger()) {
    interrupts_ &= ~kReceived;
  }
  update_line();
  if ((interrupt_mask_ & (kReceived | kReceiveTimeout)) != 0) {
    arrive();
  }
  raise_receive_interrupts();
  return std::to_integer<std::uint32_t>(character.value) | errors << kDataErrorShift;
}

void Pl011::write_data(std::uint8_t value) {
  if (transmits()) {
    send(std::byte{value});
  } else if (unsent_.size() < fifo_size()) {
    unsent_.push_back(std::byte{value});
  }
}

void Pl011::write_line_control(std::uint32_t value) {
  const bool starts_break = (value & ~line_control_ & kSendBreak) != 0;
  const bool switches_fifos = ((value ^ line_control_) & kFifoEnable) != 0;
  line_control_ = value;
  if (switches_fifos) {
    reset_receiver();
    unsent_.clear();
  }
  if (starts_break && loops() && transmits()) {
    take({.value = std::byte{0}, .is_break = true, .origin = Origin::kLoopback});
  }
}

void Pl011::write_control(std::uint32_t value) {
  const std::uint32_t before = modem_lines();
  control_ = value;
  interrupts_ |= modem_interrupts(before ^ modem_lines());
  while (transmits() && !unsent_.empty()) {
    const std::byte next = unsent_.front();
    unsent_.pop_front();
    send(next);
  }
}

bool Pl011::has_fifos() const { return (line_control_ & kFifoEnable) != 0; }

bool Pl011::loops() const { return (control_ & kLoopback) != 0; }

bool Pl011::receives() const {
  return (control_ & kUartEnable) != 0 && (control_ & kReceiveEnable) != 0 && !loops();
}

bool Pl011::transmits() const {
  return (control_ & kUartEnable) != 0 && (control_ & kTransmitEnable) != 0;
}

std::size_t Pl011::fifo_size() const { return has_fifos() ? kFifoSize : 1; }

std::size_t Pl011::trigger() const {
  if (!has_fifos()) {
    return 1;
  }
  switch (fifo_levels_ >> 3) {
    case 0:
      return kFifoSize / 8;
    case 1:
      return kFifoSize / 4;
    case 3:
      return kFifoSize * 3 / 4;
    case 4:
      return kFifoSize * 7 / 8;
    default:  // 2, and what is reserved
      return kFifoSize / 2;
  }
}

std::uint32_t Pl011::modem_lines() const {
  if (!loops()) {
    return kClearToSend | kDataSetReady | kCarrierDetect;
  }
  std::uint32_t lines = 0;
  lines |= (control_ & kRequestToSend) != 0 ? kClearToSend : 0;
  lines |= (control_ & kDataTerminalReady) != 0 ? kDataSetReady : 0;
  lines |= (control_ & kOut1) != 0 ? kCarrierDetect : 0;
  lines |= (control_ & kOut2) != 0 ? kRing : 0;
  return lines;
}

std::uint32_t Pl011::flags() const {
  std::uint32_t flags = modem_lines();
  flags |= received_.empty() ? kReceiveEmpty : 0;
  flags |= received_.size() >= fifo_size() ? kReceiveFull : 0;
  flags |= unsent_.empty() ? kTransmitEmpty : 0;
  flags |= unsent_.size() >= fifo_size() ? kTransmitFull : 0;
  return flags;
}

void Pl011::send(std::byte value) {
  // The FIFO is above its level for an instant: an interrupt for its emptiness ends, and the next
  // one is a new edge.
  interrupts_ &= ~kTransmitted;
  update_line();
  if (loops()) {
    take({.value = value, .is_break = false, .origin = Origin::kLoopback});
  } else {
    output_.write(std::span(&value, 1));
  }
  interrupts_ |= kTransmitted;
}

void Pl011::take(Character character) {
  if ((control_ & kReceiveEnable) == 0) {
    return;
  }
  if (received_.size() >= fifo_size()) {
    overrun_ = true;
    errors_ |= kOverrunError;
    interrupts_ |= kOverrun;
    return;
  }
  overrun_ = false;
  received_.push_back(character);
  interrupts_ |= character.is_break ? kBreakReceived : 0;
  raise_receive_interrupts();
}

void Pl011::reset_receiver() {
  for (; !received_.empty(); received_.pop_back()) {
    if (received_.back().origin == Origin::kWire) {
      wire_.push_front(received_.back().value);
    }
  }
  interrupts_ &= ~(kReceived | kReceiveTimeout);
}

void Pl011::arrive() {
  const std::size_t before = received_.size();
  while (receives() && received_.size() < trigger() && !wire_.empty()) {
    received_.push_back({.value = wire_.front(), .is_break = false, .origin = Origin::kWire});
    wire_.pop_front();
  }
  if (received_.size() != before) {
    overrun_ = false;
    raise_receive_interrupts();
  }
}

void Pl011::raise_receive_interrupts() {
  if (received_.empty()) {
    return;
  }
  // A FIFO at its level raises the one; below it, or never read, the time that passes the other.
  interrupts_ |= received_.size() >= trigger() ? kReceived : kReceiveTimeout;
}

void Pl011::update_line() {
  const IrqLevel level = (interrupts_ & interrupt_mask_) != 0 ? IrqLevel::kHigh : IrqLevel::kLow;
  if (level != level_) {
    level_ = level;
    irq_.set(level);
  }
}

bool Pl011::take_room_notice() {
  if (!sender_waits_ || wire_.size() > kWireSize / 2) {
    return false;
  }
  sender_waits_ = false;
  return true;
}

}  // namespace nestling
