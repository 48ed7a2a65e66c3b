// Pl011Test: a PL011 with fakes around it, and register accesses in the manual's names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "devices/pl011.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_irq_line.h"
#include "tests/support/fake_room_listener.h"

namespace nestling {

class Pl011Test : public testing::Test {
 protected:
  static constexpr std::uint64_t kDr = 0x00;
  static constexpr std::uint64_t kRsr = 0x04;
  static constexpr std::uint64_t kFr = 0x18;
  static constexpr std::uint64_t kIlpr = 0x20;
  static constexpr std::uint64_t kIbrd = 0x24;
  static constexpr std::uint64_t kFbrd = 0x28;
  static constexpr std::uint64_t kLcrH = 0x2c;
  static constexpr std::uint64_t kCr = 0x30;
  static constexpr std::uint64_t kIfls = 0x34;
  static constexpr std::uint64_t kImsc = 0x38;
  static constexpr std::uint64_t kRis = 0x3c;
  static constexpr std::uint64_t kMis = 0x40;
  static constexpr std::uint64_t kIcr = 0x44;
  static constexpr std::uint64_t kDmacr = 0x48;

  static constexpr std::uint64_t kRx = 0x010;
  static constexpr std::uint64_t kTx = 0x020;
  static constexpr std::uint64_t kRt = 0x040;
  static constexpr std::uint64_t kBe = 0x200;
  static constexpr std::uint64_t kOe = 0x400;

  static constexpr std::uint64_t kRxfe = 0x10;
  static constexpr std::uint64_t kTxff = 0x20;
  static constexpr std::uint64_t kRxff = 0x40;
  static constexpr std::uint64_t kTxfe = 0x80;

  static constexpr std::uint32_t kOn = 0x301;
  static constexpr std::uint32_t kLoop = 0x381;

  [[nodiscard]] std::uint64_t in(std::uint64_t offset) {
    return uart.read(offset, AccessWidth::of(4));
  }
  void out(std::uint64_t offset, std::uint64_t value) {
    uart.write(offset, AccessWidth::of(4), value);
  }
  std::size_t receive(std::string_view text) {
    return uart.receive(std::as_bytes(std::span(text)));
  }
  void send(std::string_view text) {
    for (const char each : text) {
      out(kDr, static_cast<unsigned char>(each));
    }
  }
  /// What a guest gets that reads while FR says that there is something.
  [[nodiscard]] std::string read_all_polled() {
    std::string text;
    while ((in(kFr)&kRxfe) == 0) {
      text.push_back(static_cast<char>(in(kDr)));
    }
    return text;
  }
  /// `size` characters in which every piece says where it belongs.
  [[nodiscard]] static std::string numbered_text(std::size_t size) {
    std::string text;
    for (int i = 0; text.size() < size; ++i) {
      text += std::to_string(i) + ' ';
    }
    text.resize(size);
    return text;
  }

  FakeByteSink output;
  FakeIrqLine line;
  FakeRoomListener room;
  Pl011 uart{output, line, room};
};

}  // namespace nestling
