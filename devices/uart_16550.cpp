// The registers of the 16550A and what follows from each access.
#include "devices/uart_16550.h"

#include <algorithm>

namespace nestling {

namespace {

// IER
constexpr std::uint8_t kEnableReceived = 1U << 0;
constexpr std::uint8_t kEnableTransmitterEmpty = 1U << 1;
constexpr std::uint8_t kEnableLineStatus = 1U << 2;
constexpr std::uint8_t kEnableModemStatus = 1U << 3;
constexpr std::uint8_t kInterruptEnableMask = 0x0f;

// IIR
constexpr std::uint8_t kFifosEnabled = 0xc0;

// FCR
constexpr std::uint8_t kFifoEnable = 1U << 0;
constexpr std::uint8_t kReceiverReset = 1U << 1;
constexpr std::uint8_t kTransmitterReset = 1U << 2;
constexpr unsigned kTriggerShift = 6;
constexpr std::size_t kFifoSize = 16;

// LCR
constexpr std::uint8_t kSendBreak = 1U << 6;
constexpr std::uint8_t kDivisorLatch = 1U << 7;

// MCR
constexpr std::uint8_t kDataTerminalReady = 1U << 0;
constexpr std::uint8_t kRequestToSend = 1U << 1;
constexpr std::uint8_t kOut1 = 1U << 2;
constexpr std::uint8_t kOut2 = 1U << 3;
constexpr std::uint8_t kLoopback = 1U << 4;
constexpr std::uint8_t kModemControlMask = 0x1f;

// LSR
constexpr std::uint8_t kDataReady = 1U << 0;
constexpr std::uint8_t kOverrun = 1U << 1;
constexpr std::uint8_t kBreak = 1U << 4;
constexpr std::uint8_t kTransmitterEmpty = 0x60;  // THRE and TEMT
constexpr std::uint8_t kFifoError = 1U << 7;
constexpr std::uint8_t kLineStatusCauses = 0x1e;

// MSR
constexpr std::uint8_t kClearToSend = 1U << 4;
constexpr std::uint8_t kDataSetReady = 1U << 5;
constexpr std::uint8_t kRing = 1U << 6;
constexpr std::uint8_t kCarrierDetect = 1U << 7;
constexpr unsigned kDeltaShift = 4;  // from a line to the bit that says it changed

std::size_t trigger_level(std::uint8_t fifo_control) {
  switch (fifo_control >> kTriggerShift) {
    case 0:
      return 1;
    case 1:
      return 4;
    case 2:
      return 8;
    default:
      return 14;
  }
}

}  // namespace

/// By number. Some are others under LCR's divisor latch bit, and two are others when written.
enum class Uart16550::Register : std::uint8_t {
  kData,                     // RBR, THR; DLL under the latch
  kInterruptEnable,          // IER; DLM under the latch
  kInterruptIdentification,  // IIR; FCR when written
  kLineControl,              // LCR
  kModemControl,             // MCR
  kLineStatus,               // LSR
  kModemStatus,              // MSR
  kScratch,                  // SCR
};

enum class Uart16550::Cause : std::uint8_t {
  kNone = 0x01,
  kLineStatus = 0x06,
  kReceived = 0x04,
  kTimeout = 0x0c,
  kTransmitterEmpty = 0x02,
  kModemStatus = 0x00,
};

Uart16550::Uart16550(ByteSink& output, IrqLine& irq, RoomListener& room, RegisterStride stride)
    : output_(output), irq_(irq), room_(room), stride_(static_cast<std::uint64_t>(stride)) {}

std::size_t Uart16550::receive(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  // A receiver reset can put bytes back on a full wire, so it may hold a few more than its size.
  const std::size_t room = kWireSize - std::min(kWireSize, wire_.size());
  const auto taken = bytes.first(std::min(room, bytes.size()));
  wire_.insert(wire_.end(), taken.begin(), taken.end());
  sender_waits_ = taken.size() < bytes.size();
  settle();
  return taken.size();
}

void Uart16550::input_ended() {
  const std::lock_guard lock(mutex_);
  input_ended_ = true;
}

bool Uart16550::may_interrupt() const {
  const std::lock_guard lock(mutex_);
  return (interrupt_enable_ & kEnableReceived) != 0 && !input_ended_ && !loops();
}

std::uint8_t Uart16550::read_byte(std::uint64_t offset) {
  const auto target = register_at(offset);
  if (!target) {
    return 0;
  }
  std::uint8_t value = 0;
  bool has_room = false;
  {
    const std::lock_guard lock(mutex_);
    value = read_register(*target);
    settle();
    has_room = take_room_notice();
  }
  if (has_room) {
    room_.has_room();
  }
  return value;
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): ByteDevice's signature.
void Uart16550::write_byte(std::uint64_t offset, std::uint8_t value) {
  const auto target = register_at(offset);
  if (!target) {
    return;
  }
  bool has_room = false;
  {
    const std::lock_guard lock(mutex_);
    write_register(*target, value);
    settle();
    has_room = take_room_notice();
  }
  if (has_room) {
    room_.has_room();
  }
}

std::optional<Uart16550::Register> Uart16550::register_at(std::uint64_t offset) const {
  if (offset % stride_ != 0 || offset / stride_ >= kRegisterCount) {
    return std::nullopt;
  }
  return static_cast<Register>(offset / stride_);
}

std::uint8_t Uart16550::read_register(Register source) {
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (source) {
    case Register::kData:
      return latch ? divisor_low_ : read_receive_buffer();
    case Register::kInterruptEnable:
      return latch ? divisor_high_ : interrupt_enable_;
    case Register::kInterruptIdentification:
      return read_interrupt_identification();
    case Register::kLineControl:
      return line_control_;
    case Register::kModemControl:
      return modem_control_;
    case Register::kLineStatus:
      return read_line_status();
    case Register::kModemStatus:
      return read_modem_status();
    case Register::kScratch:
      return scratch_;
  }
  return 0;  // register_at() gives no other
}

void Uart16550::write_register(Register target, std::uint8_t value) {
  const bool latch = (line_control_ & kDivisorLatch) != 0;
  switch (target) {
    case Register::kData:
      latch ? static_cast<void>(divisor_low_ = value) : transmit(value);
      break;
    case Register::kInterruptEnable:
      latch ? static_cast<void>(divisor_high_ = value) : write_interrupt_enable(value);
      break;
    case Register::kInterruptIdentification:
      write_fifo_control(value);
      break;
    case Register::kLineControl:
      write_line_control(value);
      break;
    case Register::kModemControl:
      write_modem_control(value);
      break;
    case Register::kScratch:
      scratch_ = value;
      break;
    case Register::kLineStatus:
    case Register::kModemStatus:  // read-only
      break;
  }
}

std::uint8_t Uart16550::read_receive_buffer() {
  if (received_.empty()) {
    return 0;
  }
  const auto value = std::to_integer<std::uint8_t>(received_.front().value);
  received_.pop_front();
  timeout_ = false;
  update_line();
  return value;
}

std::uint8_t Uart16550::read_interrupt_identification() {
  const Cause now = cause();
  if (now == Cause::kTransmitterEmpty) {
    transmitter_emptied_ = false;
  }
  return static_cast<std::uint8_t>(static_cast<std::uint8_t>(now) |
                                   (fifo_enabled_ ? kFifosEnabled : 0));
}

std::uint8_t Uart16550::read_line_status() {
  if (just_reset_) {
    just_reset_ = false;
  } else {
    arrive();
  }
  const std::uint8_t status = line_status();
  overrun_ = false;
  if (!received_.empty()) {
    received_.front().is_break = false;
  }
  return status;
}

std::uint8_t Uart16550::read_modem_status() {
  const auto status = static_cast<std::uint8_t>(modem_lines() | modem_deltas_);
  modem_deltas_ = 0;
  return status;
}

void Uart16550::transmit(std::uint8_t value) {
  // The holding register is full for an instant: an interrupt for its emptiness ends, and the next
  // one is a new edge.
  transmitter_emptied_ = false;
  update_line();
  const auto byte = std::byte{value};
  if (loops()) {
    loop_back({.value = byte, .is_break = false, .origin = Origin::kLoopback});
  } else {
    output_.write(std::span(&byte, 1));
  }
  transmitter_emptied_ = true;
}

void Uart16550::write_interrupt_enable(std::uint8_t value) {
  const std::uint8_t before = interrupt_enable_;
  interrupt_enable_ = value & kInterruptEnableMask;
  // Enabling the interrupt while the transmitter is empty, as it always is, raises it.
  if (((before ^ interrupt_enable_) & kEnableTransmitterEmpty) != 0) {
    transmitter_emptied_ = (interrupt_enable_ & kEnableTransmitterEmpty) != 0;
  }
}

void Uart16550::write_fifo_control(std::uint8_t value) {
  const bool enable = (value & kFifoEnable) != 0;
  const bool switched = enable != fifo_enabled_;
  fifo_enabled_ = enable;
  // The reset bits count only along with the enable bit; switching resets both FIFOs.
  if (switched || (enable && (value & kReceiverReset) != 0)) {
    reset_receiver();
  }
  if (switched || (enable && (value & kTransmitterReset) != 0)) {
    transmitter_emptied_ = true;
  }
  trigger_ = trigger_level(value);
}

void Uart16550::write_line_control(std::uint8_t value) {
  const bool starts_break = (value & ~line_control_ & kSendBreak) != 0;
  line_control_ = value;
  if (starts_break && loops()) {
    loop_back({.value = std::byte{0}, .is_break = true, .origin = Origin::kLoopback});
  }
}

void Uart16550::write_modem_control(std::uint8_t value) {
  const std::uint8_t before = modem_lines();
  modem_control_ = value & kModemControlMask;
  const std::uint8_t after = modem_lines();
  auto changed = static_cast<std::uint8_t>(before ^ after);
  if ((after & kRing) != 0) {
    changed &= static_cast<std::uint8_t>(~kRing);  // only the trailing edge of a ring counts
  }
  modem_deltas_ |= static_cast<std::uint8_t>(changed >> kDeltaShift);
}

bool Uart16550::loops() const { return (modem_control_ & kLoopback) != 0; }

std::uint8_t Uart16550::modem_lines() const {
  if (!loops()) {
    return kClearToSend | kDataSetReady | kCarrierDetect;
  }
  unsigned lines = 0;
  lines |= (modem_control_ & kRequestToSend) != 0 ? kClearToSend : 0U;
  lines |= (modem_control_ & kDataTerminalReady) != 0 ? kDataSetReady : 0U;
  lines |= (modem_control_ & kOut1) != 0 ? kRing : 0U;
  lines |= (modem_control_ & kOut2) != 0 ? kCarrierDetect : 0U;
  return static_cast<std::uint8_t>(lines);
}

std::uint8_t Uart16550::line_status() const {
  unsigned status = kTransmitterEmpty;
  status |= overrun_ ? kOverrun : 0U;
  if (!received_.empty()) {
    status |= kDataReady;
    status |= received_.front().is_break ? kBreak : 0U;
  }
  if (fifo_enabled_ && std::any_of(received_.begin(), received_.end(),
                                   [](const Character& each) { return each.is_break; })) {
    status |= kFifoError;
  }
  return static_cast<std::uint8_t>(status);
}

Uart16550::Cause Uart16550::cause() const {
  if ((interrupt_enable_ & kEnableLineStatus) != 0 && (line_status() & kLineStatusCauses) != 0) {
    return Cause::kLineStatus;
  }
  if ((interrupt_enable_ & kEnableReceived) != 0) {
    if (received_.size() >= (fifo_enabled_ ? trigger_ : 1)) {
      return Cause::kReceived;
    }
    if (timeout_) {
      return Cause::kTimeout;
    }
  }
  if ((interrupt_enable_ & kEnableTransmitterEmpty) != 0 && transmitter_emptied_) {
    return Cause::kTransmitterEmpty;
  }
  if ((interrupt_enable_ & kEnableModemStatus) != 0 && modem_deltas_ != 0) {
    return Cause::kModemStatus;
  }
  return Cause::kNone;
}

void Uart16550::loop_back(Character character) {
  if (received_.size() < (fifo_enabled_ ? kFifoSize : 1)) {
    received_.push_back(character);
    return;
  }
  overrun_ = true;
  if (!fifo_enabled_) {
    received_.back() = character;  // the shift register overwrites the one buffer, not a FIFO
  }
}

void Uart16550::reset_receiver() {
  just_reset_ = just_reset_ || !received_.empty();
  for (; !received_.empty(); received_.pop_back()) {
    if (received_.back().origin == Origin::kWire) {
      wire_.push_front(received_.back().value);
    }
  }
  timeout_ = false;
  update_line();
}

void Uart16550::arrive() {
  const std::size_t limit = fifo_enabled_ ? trigger_ : 1;
  while (!loops() && received_.size() < limit && !wire_.empty()) {
    received_.push_back({.value = wire_.front(), .is_break = false, .origin = Origin::kWire});
    wire_.pop_front();
  }
}

void Uart16550::settle() {
  if ((interrupt_enable_ & kEnableReceived) != 0) {
    arrive();
  }
  timeout_ = fifo_enabled_ && !received_.empty() && received_.size() < trigger_;
  update_line();
}

void Uart16550::update_line() {
  const IrqLevel level = cause() == Cause::kNone ? IrqLevel::kLow : IrqLevel::kHigh;
  if (level != level_) {
    level_ = level;
    irq_.set(level);
  }
}

bool Uart16550::take_room_notice() {
  if (!sender_waits_ || wire_.size() > kWireSize / 2) {
    return false;
  }
  sender_waits_ = false;
  return true;
}

}  // namespace nestling
