// UartTest: a UART with fakes around it, and register accesses in the datasheet's names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "devices/uart_16550.h"
#include "tests/support/fake_byte_sink.h"
#include "tests/support/fake_irq_line.h"
#include "tests/support/fake_room_listener.h"

namespace nestling {

class UartTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kRbr = 0;
  static constexpr std::uint64_t kThr = 0;
  static constexpr std::uint64_t kDll = 0;
  static constexpr std::uint64_t kIer = 1;
  static constexpr std::uint64_t kDlm = 1;
  static constexpr std::uint64_t kIir = 2;
  static constexpr std::uint64_t kFcr = 2;
  static constexpr std::uint64_t kLcr = 3;
  static constexpr std::uint64_t kMcr = 4;
  static constexpr std::uint64_t kLsr = 5;
  static constexpr std::uint64_t kMsr = 6;
  static constexpr std::uint64_t kScr = 7;

  [[nodiscard]] int in(std::uint64_t number) {
    return static_cast<int>(uart.read(number, AccessWidth::of(1)));
  }
  void out(std::uint64_t number, int value) {
    uart.write(number, AccessWidth::of(1), static_cast<std::uint64_t>(value));
  }
  std::size_t receive(std::string_view text) {
    return uart.receive(std::as_bytes(std::span(text)));
  }
  /// What a guest gets that reads while LSR says that there is something.
  [[nodiscard]] std::string read_all_polled() {
    std::string text;
    while ((in(kLsr)&0x01) != 0) {
      text.push_back(static_cast<char>(in(kRbr)));
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
  Uart16550 uart{output, line, room};
};

}  // namespace nestling
