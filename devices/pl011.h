// Pl011: Arm's UART, with FIFOs and interrupts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>

#include "devices/byte_sink.h"
#include "devices/irq_line.h"
#include "devices/primecell_id.h"
#include "devices/room_listener.h"
#include "devices/wake_source.h"
#include "devices/word_device.h"

namespace nestling {

/// A PrimeCell PL011 (Arm DDI 0183) on a line of infinite speed:
///
///     guest --DR--> output             transmitted at once, unless the transmitter is off
///     receive() --> wire --> FIFO --DR--> guest
///
/// - It is on, with FIFOs and 8 bits, as firmware leaves it: early consoles rely on that.
/// - A byte on the wire arrives when the guest can notice: while it has a receive interrupt
/// enabled,
///   or when it polls the flags. No more arrive than the trigger level asks for, so the host never
///   causes an overrun.
/// - The time of the receive timeout passes at once: bytes below the trigger level raise it
///   immediately, and each read of one that leaves others raises it again.
/// - Each byte sent raises the transmit interrupt, as though the FIFO had passed its level.
/// - Switching the FIFOs sends host bytes back to the wire, as though they arrived after it.
/// - The modem is always there: CTS, DSR and DCD are on. Baud rate, word length, parity, IrDA, DMA
///   and hardware flow control are registers without effect.
///
/// Any thread may call anything.
class Pl011 final : public WordDevice, public WakeSource {
 public:
  static constexpr std::uint64_t kSize = kPrimeCellSize;
  /// Bytes the wire holds before receive() takes no more.
  static constexpr std::size_t kWireSize = 1024;

  /// All three must outlive the UART; `output` and `irq` are called with the UART's lock held, so
  /// they must not call back.
  Pl011(ByteSink& output, IrqLine& irq, RoomListener& room);

  /// Bytes from outside, in order. Returns how many were taken, from the front; if not all, `room`
  /// is told once when the guest has made space.
  [[nodiscard]] std::size_t receive(std::span<const std::byte> bytes);
  /// No byte will ever be received again.
  void input_ended();

  /// True while a receive interrupt is enabled and input can still come.
  [[nodiscard]] bool may_interrupt() const override;

 protected:
  [[nodiscard]] std::uint32_t read_word(std::uint64_t offset) override;
  void write_word(std::uint64_t offset, std::uint32_t value) override;

 private:
  enum class Origin : std::uint8_t { kWire, kLoopback };
  struct Character {
    std::byte value{};
    bool is_break = false;
    Origin origin = Origin::kWire;
  };

  [[nodiscard]] std::uint32_t read_register(std::uint64_t offset);
  void write_register(std::uint64_t offset, std::uint32_t value);
  [[nodiscard]] std::uint32_t read_data();
  void write_data(std::uint8_t value);
  void write_line_control(std::uint32_t value);
  void write_control(std::uint32_t value);

  [[nodiscard]] bool has_fifos() const;
  [[nodiscard]] bool loops() const;
  [[nodiscard]] bool receives() const;
  [[nodiscard]] bool transmits() const;
  [[nodiscard]] std::size_t fifo_size() const;
  /// Characters in the receive FIFO that raise the interrupt.
  [[nodiscard]] std::size_t trigger() const;
  [[nodiscard]] std::uint32_t modem_lines() const;
  [[nodiscard]] std::uint32_t flags() const;

  void send(std::byte value);
  void take(Character character);
  void reset_receiver();
  /// Takes from the wire what the receiver has place for.
  void arrive();
  /// The receive interrupts that what is in the FIFO asks for.
  void raise_receive_interrupts();
  void update_line();
  /// True once after the wire, having refused bytes, is half empty.
  [[nodiscard]] bool take_room_notice();

  ByteSink& output_;
  IrqLine& irq_;
  RoomListener& room_;

  mutable std::mutex mutex_;  // guards all below
  std::deque<std::byte> wire_;
  std::deque<Character> received_;   // the receive FIFO, or the one receive buffer
  std::deque<std::byte> unsent_;     // the transmit FIFO, while the transmitter is off
  std::uint32_t errors_ = 0;         // RSR
  std::uint32_t low_power_ = 0;      // ILPR
  std::uint32_t baud_integer_ = 13;  // 115200 of 24 MHz
  std::uint32_t baud_fraction_ = 1;
  std::uint32_t line_control_ = 0x70;
  std::uint32_t control_ = 0x301;
  std::uint32_t fifo_levels_ = 0x12;
  std::uint32_t interrupt_mask_ = 0;
  std::uint32_t interrupts_ = 0;  // RIS
  std::uint32_t dma_control_ = 0;
  bool overrun_ = false;  // a character was lost, and none came since
  bool input_ended_ = false;
  bool sender_waits_ = false;
  IrqLevel level_ = IrqLevel::kLow;
};

}  // namespace nestling
