// I8042: the keyboard controller of a PC, with nothing plugged in; kernels probe it, and reset by
// it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "devices/device.h"
#include "devices/power_switch.h"

namespace nestling {

/// The controller of the IBM PC/AT (Technical Reference, "Keyboard Controller"): its own commands
/// are answered, bytes to the keyboard end in the controller's time-out answer, there is no mouse.
/// It raises no interrupts. Its two ports, 0x60 and 0x64, are two devices, since the port between
/// belongs to others. Any thread may call it.
class I8042 {
 public:
  /// `power` must outlive the controller.
  explicit I8042(PowerSwitch& power) : power_(power), data_port_(*this), command_port_(*this) {}
  I8042(const I8042&) = delete;
  I8042& operator=(const I8042&) = delete;
  ~I8042() = default;

  /// One register: answers of the controller, arguments of commands. Port 0x60.
  [[nodiscard]] Device& data_port() { return data_port_; }
  /// One register: status when read, command when written. Port 0x64.
  [[nodiscard]] Device& command_port() { return command_port_; }

 private:
  class DataPort final : public ByteDevice {
   public:
    explicit DataPort(I8042& owner) : owner_(owner) {}

   protected:
    [[nodiscard]] std::uint8_t read_byte(std::uint64_t offset) override;
    void write_byte(std::uint64_t offset, std::uint8_t value) override;

   private:
    I8042& owner_;
  };

  class CommandPort final : public ByteDevice {
   public:
    explicit CommandPort(I8042& owner) : owner_(owner) {}

   protected:
    [[nodiscard]] std::uint8_t read_byte(std::uint64_t offset) override;
    void write_byte(std::uint64_t offset, std::uint8_t value) override;

   private:
    I8042& owner_;
  };

  // Bits of the output port: lines of the PC's board.
  static constexpr std::uint8_t kNoReset = 1U << 0;  // low resets the processor
  static constexpr std::uint8_t kA20 = 1U << 1;
  /// As firmware leaves it: self test passed, mouse port off.
  static constexpr std::uint8_t kFirmwareCommandByte = 0x24;

  enum class Problem : std::uint8_t { kNone, kTimeout };

  void answer(std::uint8_t value, Problem problem = Problem::kNone);
  void run_command(std::uint8_t command);
  /// A byte at the data port: the argument `command` waits for.
  void run_command_with(std::uint8_t command, std::uint8_t argument);
  [[nodiscard]] std::uint8_t status() const;

  PowerSwitch& power_;
  DataPort data_port_;
  CommandPort command_port_;

  std::mutex mutex_;                                           // guards all below
  std::array<std::uint8_t, 32> memory_{kFirmwareCommandByte};  // the first is the command byte
  std::uint8_t output_port_ = kNoReset | kA20;
  std::uint8_t output_buffer_ = 0;
  bool output_full_ = false;
  bool timed_out_ = false;
  bool last_was_command_ = false;
  std::optional<std::uint8_t> waiting_;  // the command that waits for its argument
};

}  // namespace nestling
