// The controller's commands.
#include "devices/i8042.h"

#include <fmt/core.h>

namespace nestling {

namespace {

// Status.
constexpr std::uint8_t kOutputFull = 1U << 0;
constexpr std::uint8_t kSelfTestPassed = 1U << 2;  // the same bit of the command byte
constexpr std::uint8_t kLastWasCommand = 1U << 3;
constexpr std::uint8_t kNotLocked = 1U << 4;
constexpr std::uint8_t kTimedOut = 1U << 6;

// Commands. 0x20 … 0x3f read the controller's memory, 0x60 … 0x7f write it, 0xf0 … 0xff pulse the
// lines of the output port whose bits are 0.
constexpr std::uint8_t kReadMemory = 0x20;
constexpr std::uint8_t kWriteMemory = 0x60;
constexpr unsigned kMemoryCommandMask = 0xe0;
constexpr unsigned kMemoryAddressMask = 0x1f;
constexpr std::uint8_t kDisableMouse = 0xa7;
constexpr std::uint8_t kEnableMouse = 0xa8;
constexpr std::uint8_t kTestMouse = 0xa9;
constexpr std::uint8_t kSelfTest = 0xaa;
constexpr std::uint8_t kTestKeyboard = 0xab;
constexpr std::uint8_t kDisableKeyboard = 0xad;
constexpr std::uint8_t kEnableKeyboard = 0xae;
constexpr std::uint8_t kReadInputPort = 0xc0;
constexpr std::uint8_t kReadOutputPort = 0xd0;
constexpr std::uint8_t kWriteOutputPort = 0xd1;
constexpr std::uint8_t kWriteKeyboardBuffer = 0xd2;
constexpr std::uint8_t kWriteMouseBuffer = 0xd3;
constexpr std::uint8_t kWriteMouse = 0xd4;
constexpr std::uint8_t kDisableA20 = 0xdd;
constexpr std::uint8_t kEnableA20 = 0xdf;
constexpr std::uint8_t kPulse = 0xf0;
constexpr std::uint8_t kPulseReset = 1U << 0;

// Command byte.
constexpr std::uint8_t kKeyboardDisabled = 1U << 4;
constexpr std::uint8_t kMouseDisabled = 1U << 5;

// Answers.
constexpr std::uint8_t kSelfTestGood = 0x55;
constexpr std::uint8_t kLinesGood = 0x00;
constexpr std::uint8_t kClockStuckLow = 0x01;
constexpr std::uint8_t kResend = 0xfe;             // along with a time-out: nobody there
constexpr std::uint8_t kInputPort = 0x80;          // keyboard not locked
constexpr std::uint8_t kOutputFullLine = 1U << 4;  // of the output port

}  // namespace

std::uint8_t I8042::DataPort::read_byte(std::uint64_t /*offset*/) {
  const std::lock_guard lock(owner_.mutex_);
  owner_.output_full_ = false;
  owner_.timed_out_ = false;
  return owner_.output_buffer_;
}

void I8042::DataPort::write_byte(std::uint64_t /*offset*/, std::uint8_t value) {
  const std::lock_guard lock(owner_.mutex_);
  owner_.last_was_command_ = false;
  if (owner_.waiting_) {
    const std::uint8_t command = *owner_.waiting_;
    owner_.waiting_.reset();
    owner_.run_command_with(command, value);
  } else {
    owner_.answer(kResend, Problem::kTimeout);  // for a keyboard that is not there
  }
}

std::uint8_t I8042::CommandPort::read_byte(std::uint64_t /*offset*/) {
  const std::lock_guard lock(owner_.mutex_);
  return owner_.status();
}

void I8042::CommandPort::write_byte(std::uint64_t /*offset*/, std::uint8_t value) {
  const std::lock_guard lock(owner_.mutex_);
  owner_.last_was_command_ = true;
  owner_.waiting_.reset();
  owner_.run_command(value);
}

void I8042::answer(std::uint8_t value, Problem problem) {
  output_buffer_ = value;
  output_full_ = true;
  timed_out_ = problem == Problem::kTimeout;
}

std::uint8_t I8042::status() const {
  unsigned status = kNotLocked;
  status |= (memory_.front() & kSelfTestPassed) != 0 ? kSelfTestPassed : 0U;
  status |= output_full_ ? kOutputFull : 0U;
  status |= last_was_command_ ? kLastWasCommand : 0U;
  status |= timed_out_ ? kTimedOut : 0U;
  return static_cast<std::uint8_t>(status);
}

void I8042::run_command(std::uint8_t command) {
  if ((command & kMemoryCommandMask) == kReadMemory) {
    answer(memory_.at(command & kMemoryAddressMask));
    return;
  }
  if ((command & kMemoryCommandMask) == kWriteMemory) {
    waiting_ = command;
    return;
  }
  if ((command & kPulse) == kPulse) {
    if ((command & kPulseReset) == 0) {
      power_.reset(fmt::format("i8042 command {:#x}", command));
    }
    return;
  }
  switch (command) {
    case kDisableMouse:
      memory_.front() |= kMouseDisabled;
      break;
    case kEnableMouse:
      memory_.front() &= static_cast<std::uint8_t>(~kMouseDisabled);
      break;
    case kTestMouse:
      answer(kClockStuckLow);
      break;
    case kSelfTest:
      memory_.front() |= kSelfTestPassed;
      answer(kSelfTestGood);
      break;
    case kTestKeyboard:
      answer(kLinesGood);
      break;
    case kDisableKeyboard:
      memory_.front() |= kKeyboardDisabled;
      break;
    case kEnableKeyboard:
      memory_.front() &= static_cast<std::uint8_t>(~kKeyboardDisabled);
      break;
    case kReadInputPort:
      answer(kInputPort);
      break;
    case kReadOutputPort:
      answer(static_cast<std::uint8_t>(output_port_ | (output_full_ ? kOutputFullLine : 0)));
      break;
    case kWriteOutputPort:
    case kWriteKeyboardBuffer:
    case kWriteMouseBuffer:
    case kWriteMouse:
      waiting_ = command;
      break;
    case kDisableA20:
      output_port_ &= static_cast<std::uint8_t>(~kA20);
      break;
    case kEnableA20:
      output_port_ |= kA20;
      break;
    default:  // unknown to the controller: no answer
      break;
  }
}

void I8042::run_command_with(std::uint8_t command, std::uint8_t argument) {
  switch (command) {
    case kWriteOutputPort:
      output_port_ = argument & static_cast<std::uint8_t>(~kOutputFullLine);
      if ((argument & kNoReset) == 0) {
        power_.reset(fmt::format("i8042 output port {:#x}", argument));
      }
      break;
    case kWriteKeyboardBuffer:
    case kWriteMouseBuffer:  // without the status bit of a mouse: its absence is what a probe sees
      answer(argument);
      break;
    case kWriteMouse:
      answer(kResend, Problem::kTimeout);
      break;
    default:
      memory_.at(command & kMemoryAddressMask) = argument;
      break;
  }
}

}  // namespace nestling
