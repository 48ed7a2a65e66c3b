// Uart16550: the serial port of a PC, with FIFOs and interrupts, on ports or in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>

#include "devices/byte_sink.h"
#include "devices/device.h"
#include "devices/irq_line.h"
#include "devices/room_listener.h"
#include "devices/wake_source.h"

namespace nestling {

/// Bytes from one 8-bit register of a device to its next: 1, 2, 4 or 8.
enum class RegisterStride : std::uint8_t { k1 = 1, k2 = 2, k4 = 4, k8 = 8 };

/// A 16550A (National Semiconductor PC16550D datasheet) on a line of infinite speed:
///
///     guest --THR--> output            transmitted at once: THRE and TEMT always read 1
///     receive() --> wire --> FIFO --RBR--> guest
///
/// - A byte on the wire arrives when the guest can notice: while it has the receive interrupt
///   enabled, or when it polls LSR. No more arrive than the trigger level asks for, so the host
///   never causes an overrun.
/// - Four character times pass at once: bytes below the trigger level raise the character timeout
///   immediately, and each read of RBR ends it for an instant, which gives edge-triggered
///   interrupt controllers their next edge.
/// - A FIFO reset sends host bytes back to the wire, as though they arrived after it: input that is
///   piped in survives a guest that sets up its port twice.
/// - The modem is always there: CTS, DSR and DCD are on. Divisor, word length and parity are
///   registers without effect. The OUT2 gate of a PC's board is not there, as in other VMMs.
///
/// Any thread may call anything.
class Uart16550 final : public ByteDevice, public WakeSource {
 public:
  static constexpr std::uint64_t kRegisterCount = 8;
  /// Bytes the wire holds before receive() takes no more.
  static constexpr std::size_t kWireSize = 1024;

  /// All three must outlive the UART; `output` and `irq` are called with the UART's lock held, so
  /// they must not call back.
  Uart16550(ByteSink& output, IrqLine& irq, RoomListener& room,
            RegisterStride stride = RegisterStride::k1);

  /// Bytes from outside, in order. Returns how many were taken, from the front; if not all, `room`
  /// is told once when the guest has made space.
  [[nodiscard]] std::size_t receive(std::span<const std::byte> bytes);
  /// No byte will ever be received again.
  void input_ended();

  /// True while the receive interrupt is enabled and input can still come.
  [[nodiscard]] bool may_interrupt() const override;

 protected:
  /// A byte between two registers (of a stride above 1) reads 0 and ignores writes.
  [[nodiscard]] std::uint8_t read_byte(std::uint64_t offset) override;
  void write_byte(std::uint64_t offset, std::uint8_t value) override;

 private:
  enum class Origin : std::uint8_t { kWire, kLoopback };
  enum class Register : std::uint8_t;  // by number
  enum class Cause : std::uint8_t;     // what IIR says
  struct Character {
    std::byte value{};
    bool is_break = false;
    Origin origin = Origin::kWire;
  };

  [[nodiscard]] std::optional<Register> register_at(std::uint64_t offset) const;
  [[nodiscard]] std::uint8_t read_register(Register source);
  void write_register(Register target, std::uint8_t value);

  [[nodiscard]] std::uint8_t read_receive_buffer();
  [[nodiscard]] std::uint8_t read_interrupt_identification();
  [[nodiscard]] std::uint8_t read_line_status();
  [[nodiscard]] std::uint8_t read_modem_status();
  void transmit(std::uint8_t value);
  void write_interrupt_enable(std::uint8_t value);
  void write_fifo_control(std::uint8_t value);
  void write_line_control(std::uint8_t value);
  void write_modem_control(std::uint8_t value);

  [[nodiscard]] bool loops() const;
  [[nodiscard]] std::uint8_t modem_lines() const;
  [[nodiscard]] std::uint8_t line_status() const;
  [[nodiscard]] Cause cause() const;
  void loop_back(Character character);
  void reset_receiver();
  /// Takes from the wire what the receiver has place for.
  void arrive();
  /// What follows from every change: arrivals, the timeout, the interrupt line.
  void settle();
  void update_line();
  /// True once after the wire, having refused bytes, is half empty.
  [[nodiscard]] bool take_room_notice();

  ByteSink& output_;
  IrqLine& irq_;
  RoomListener& room_;
  const std::uint64_t stride_;

  mutable std::mutex mutex_;  // guards all below
  std::deque<std::byte> wire_;
  std::deque<Character> received_;  // the receive FIFO, or the one receive buffer
  std::size_t trigger_ = 1;         // bytes in the FIFO that raise the interrupt
  std::uint8_t divisor_low_ = 12;   // 9600 baud
  std::uint8_t divisor_high_ = 0;
  std::uint8_t interrupt_enable_ = 0;
  std::uint8_t line_control_ = 0;
  std::uint8_t modem_control_ = 0;
  std::uint8_t modem_deltas_ = 0;
  std::uint8_t scratch_ = 0;
  bool fifo_enabled_ = false;
  bool overrun_ = false;
  bool timeout_ = false;
  bool transmitter_emptied_ = false;  // and IIR has not said so yet
  bool just_reset_ = false;           // the next poll of LSR sees what a reset did
  bool input_ended_ = false;
  bool sender_waits_ = false;
  IrqLevel level_ = IrqLevel::kLow;
};

}  // namespace nestling
