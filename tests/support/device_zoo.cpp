// The zoo's layout, and how bytes become accesses.
#include "tests/support/device_zoo.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "addrspace/range.h"
#include "base/check.h"

namespace nestling {

namespace {

constexpr std::uint64_t kMemoryStride = 4;
constexpr GuestPhysAddr kMemoryUart(0xd000'1000);
constexpr GuestPhysAddr kMemoryExit(0xd000'0000);
constexpr GuestPhysAddr kTest(0xd001'0000);
constexpr GuestPhysAddr kPl011(0x900'0000);
constexpr GuestPhysAddr kPl031(0x901'0000);

/// First port of each device: accesses fall on a few ports from one below it.
constexpr std::array<std::uint16_t, 9> kPorts = {0x3f8, 0x70,  0x60,  0x64,  0xe9,
                                                 0xf4,  0xcf8, 0x505, 0xffff};
constexpr unsigned kNeighbours = 10;

constexpr WallTime kStart(std::chrono::hours(500'000));

template <typename Outcome>
void check_read(const Outcome& outcome, AccessWidth width) {
  check((outcome.value & ~width.all_ones()) == 0, "a read gave more bits than were asked for");
}

}  // namespace

/// Reads numbers off the program's front; past its end, zeros.
class DeviceZoo::Program {
 public:
  explicit Program(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  [[nodiscard]] bool is_over() const { return rest_.empty(); }
  [[nodiscard]] std::uint64_t take(std::size_t bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes && !rest_.empty(); ++i) {
      value |= std::uint64_t{rest_.front()} << (8 * i);
      rest_ = rest_.subspan(1);
    }
    return value;
  }
  [[nodiscard]] std::span<const std::uint8_t> take_span(std::size_t bytes) {
    const auto taken = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

DeviceZoo::DeviceZoo()
    : time_(kStart),
      port_uart_(output_, port_uart_line_, room_),
      memory_uart_(output_, memory_uart_line_, room_, RegisterStride::k4),
      rtc_(time_, time_, rtc_line_, {.below_4gib = 1ULL << 30, .above_4gib = 1ULL << 40}),
      pl011_(output_, pl011_line_, room_),
      pl031_(time_, time_, pl031_line_),
      debug_console_(output_),
      exit_(power_),
      keyboard_(power_),
      pvpanic_(power_),
      reset_(power_),
      test_(guest_memory_, inspector_) {
  const auto attach = [&](std::uint16_t port, std::uint64_t count, Device& device) {
    check(ports_.attach("port", PortRange::of(Port(port), count), device).has_value(), "layout");
  };
  attach(0x3f8, Uart16550::kRegisterCount, port_uart_);
  attach(0x70, CmosRtc::kPortCount, rtc_);
  attach(0x60, 1, keyboard_.data_port());
  attach(0x64, 1, keyboard_.command_port());
  attach(0xe9, 1, debug_console_);
  attach(0xf4, 4, exit_);
  attach(0xcf8, ResetControl::kPortCount, reset_);
  attach(0x505, 1, pvpanic_);
  const auto uart_range =
      GuestPhysRange::of(kMemoryUart, Uart16550::kRegisterCount * kMemoryStride);
  check(memory_.attach("uart", uart_range, memory_uart_).has_value(), "layout");
  check(memory_.attach("exit", GuestPhysRange::of(kMemoryExit, 4), exit_).has_value(), "layout");
  const auto attach_primecell = [&](GuestPhysAddr start, Device& device) {
    const auto range = GuestPhysRange::of(start, kPrimeCellSize);
    check(memory_.attach("primecell", range, device).has_value(), "layout");
  };
  attach_primecell(kPl011, pl011_);
  attach_primecell(kPl031, pl031_);
  check(memory_.attach("test", GuestPhysRange::of(kTest, TestDevice::kSize), test_).has_value(),
        "layout");
  guest_memory_.add(GuestPhysRange::of(GuestPhysAddr(0), 4 * kPageSize), Access::all());
  guest_memory_.add(GuestPhysRange::of(GuestPhysAddr(4 * kPageSize), kPageSize), Access::read());
}

void DeviceZoo::run(std::span<const std::uint8_t> program) {
  Program rest(program);
  while (!rest.is_over()) {
    step(rest);
    check((rtc_.may_interrupt() || pl031_.may_interrupt()) == time_.is_armed(),
          "the clocks' timers are not what they wait for");
  }
}

void DeviceZoo::step(Program& program) {
  switch (program.take(1) % 8) {
    case 0:
    case 1:
      access_port(program);
      break;
    case 2:
      access_test_device(program);
      break;
    case 3:
      access_memory(program);
      break;
    case 4:
      access_primecell(program);
      break;
    case 5:
      receive(program);
      break;
    case 6:
      time_.pass(std::chrono::microseconds(program.take(3)));
      break;
    default:
      time_.pass_unnoticed(std::chrono::seconds(program.take(3) % 200'000));
      time_.pass(std::chrono::nanoseconds(0));
      break;
  }
}

void DeviceZoo::access_port(Program& program) {
  const std::uint64_t where = program.take(1);
  const auto first = kPorts.at(where % kPorts.size());
  const auto port = static_cast<std::uint16_t>(first - 1 + where / kPorts.size() % kNeighbours);
  const std::uint64_t how = program.take(1);
  const auto width = AccessWidth::of(1 + how % 8);
  if ((how & 0x80) != 0) {
    check_read(ports_.read(Port(port), width), width);
  } else {
    (void)ports_.write(Port(port), width, program.take(width.bytes()));
  }
}

void DeviceZoo::access_memory(Program& program) {
  const std::uint64_t where = program.take(1);
  const GuestPhysAddr address((where & 0x80) != 0 ? kMemoryExit.value() - 8 + where % 0x10
                                                  : kMemoryUart.value() - 8 + where % 0x40);
  const std::uint64_t how = program.take(1);
  const auto width = AccessWidth::of(1 + how % 8);
  if ((how & 0x80) != 0) {
    check_read(memory_.read(address, width), width);
  } else {
    (void)memory_.write(address, width, program.take(width.bytes()));
  }
}

void DeviceZoo::access_primecell(Program& program) {
  const std::uint64_t where = program.take(1);
  const GuestPhysAddr start = (where & 0x80) != 0 ? kPl031 : kPl011;
  // The registers, what lies around them, and the last ones of all.
  const std::uint64_t offset =
      (where & 0x60) == 0x60 ? kPrimeCellSize - 0x20 + where % 0x20 : where % 0x60;
  const std::uint64_t how = program.take(1);
  const auto width = AccessWidth::of(1 + how % 8);
  if ((how & 0x80) != 0) {
    check_read(memory_.read(start + offset, width), width);
  } else {
    (void)memory_.write(start + offset, width, program.take(width.bytes()));
  }
}

void DeviceZoo::access_test_device(Program& program) {
  const std::uint64_t where = program.take(1);
  const std::uint64_t how = program.take(1);
  // Mostly whole registers of the first bank: anything else it is to ignore.
  const bool is_odd = (how & 0x40) != 0;
  const auto width = is_odd ? AccessWidth::of(1 + how % 8) : AccessWidth::of(8);
  const GuestPhysAddr address = kTest + (is_odd ? where * 17 % TestDevice::kSize : where % 14 * 8);
  if ((how & 0x80) != 0) {
    check_read(memory_.read(address, width), width);
  } else {
    (void)memory_.write(address, width, program.take(width.bytes()));
  }
}

void DeviceZoo::receive(Program& program) {
  const std::uint64_t how = program.take(2);
  if ((how & 0x1001) == 0x1001) {
    const auto bytes = std::as_bytes(program.take_span(how / 2 % 2048));
    check(pl011_.receive(bytes) <= bytes.size(), "took more than was offered");
    if (how >= 0xff00) {
      pl011_.input_ended();
      check(!pl011_.may_interrupt(), "waits for input that has ended");
    }
    return;
  }
  Uart16550& uart = (how & 1) != 0 ? port_uart_ : memory_uart_;
  const auto bytes = std::as_bytes(program.take_span(how / 2 % 2048));
  check(uart.receive(bytes) <= bytes.size(), "took more than was offered");
  if (how >= 0xff00) {
    uart.input_ended();
    check(!uart.may_interrupt(), "waits for input that has ended");
  }
}

void DeviceZoo::check_that_all_can_be_silenced() {
  silence(port_uart_, 1, port_uart_line_);
  silence(memory_uart_, kMemoryStride, memory_uart_line_);
  (void)ports_.write(Port(0x70), AccessWidth::of(1), 0x0c);
  (void)ports_.read(Port(0x71), AccessWidth::of(1));
  check(!rtc_line_.is_high(), "reading register C leaves the clock's interrupt");
  silence_primecells();
}

void DeviceZoo::silence_primecells() {
  const auto word = AccessWidth::of(4);
  pl011_.write(0x30, word, 0x301);  // on, no loopback
  std::size_t characters = 0;
  while ((pl011_.read(0x18, word) & 0x10) == 0) {
    (void)pl011_.read(0x00, word);
    ++characters;
    check(characters <= Pl011::kWireSize + 32, "more input than there can be");
  }
  pl011_.write(0x44, word, 0x7ff);
  check(!pl011_line_.is_high(), "an interrupt that nothing ends");
  pl031_.write(0x1c, word, 1);
  check(!pl031_line_.is_high(), "an alarm that cannot be cleared");
}

void DeviceZoo::silence(Uart16550& uart, std::uint64_t stride, const FakeIrqLine& line) {
  const auto byte = AccessWidth::of(1);
  uart.write(3 * stride, byte, 0x03);  // close the divisor latch
  uart.write(4 * stride, byte, 0x00);  // end loopback
  std::size_t characters = 0;
  while ((uart.read(5 * stride, byte) & 0x01) != 0) {
    (void)uart.read(0, byte);
    ++characters;
    check(characters <= Uart16550::kWireSize + 32, "more input than there can be");
  }
  (void)uart.read(5 * stride, byte);  // errors
  (void)uart.read(6 * stride, byte);  // modem status
  (void)uart.read(2 * stride, byte);  // transmitter empty
  check((uart.read(2 * stride, byte) & 0x0f) == 0x01, "an interrupt that nothing ends");
  check(!line.is_high(), "a line that is high without a cause");
}

}  // namespace nestling
