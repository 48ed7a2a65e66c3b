// The UART's interrupts: causes, priorities, what ends each, and edges for edge-triggered
// controllers.
#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/devices/uart_fixture.h"

namespace nestling {
namespace {

using UartInterrupts = UartTest;

TEST_F(UartInterrupts, AreSilentWhileDisabled) {
  receive("x");
  out(kThr, 'y');
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(in(kIir), 0x01);
}

TEST_F(UartInterrupts, ReportAByteUntilItIsRead) {
  out(kIer, 0x01);
  EXPECT_FALSE(line.is_high());
  receive("x");
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kIir), 0x04);
  EXPECT_EQ(in(kIir), 0x04) << "reading IIR does not end it";
  EXPECT_EQ(in(kRbr), 'x');
  EXPECT_EQ(in(kIir), 0x01);
  EXPECT_FALSE(line.is_high());
}

TEST_F(UartInterrupts, ReportAByteThatCameBeforeTheyWereEnabled) {
  receive("x");
  out(kIer, 0x01);
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kIir), 0x04);
}

TEST_F(UartInterrupts, ReportTheTransmitterWhenEnabledAndAfterEachByte) {
  out(kIer, 0x02);
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kIir), 0x02);
  EXPECT_FALSE(line.is_high()) << "reading IIR ends it";
  EXPECT_EQ(in(kIir), 0x01);
  out(kThr, 'x');
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kIir), 0x02);
}

TEST_F(UartInterrupts, ReportTheTransmitterAgainEachTimeTheyAreEnabled) {
  // A Linux driver takes a UART that does not for broken.
  for (int i = 0; i < 2; ++i) {
    out(kIer, 0x02);
    EXPECT_EQ(in(kIir), 0x02);
    out(kIer, 0x00);
    EXPECT_FALSE(line.is_high());
  }
  out(kIer, 0x02);
  EXPECT_EQ(in(kIir), 0x02);
  out(kIer, 0x02);
  EXPECT_EQ(in(kIir), 0x01) << "writing the same enables changes nothing";
}

TEST_F(UartInterrupts, MakeANewEdgeForEachTransmittedByte) {
  out(kIer, 0x02);
  EXPECT_EQ(line.take_rising_edges(), 1);
  out(kThr, 'a');
  out(kThr, 'b');
  EXPECT_EQ(line.take_rising_edges(), 2);
}

TEST_F(UartInterrupts, DoNotLoseTheTransmitterBehindAByte) {
  out(kIer, 0x03);
  receive("x");
  EXPECT_EQ(in(kIir), 0x04);
  EXPECT_EQ(in(kRbr), 'x');
  EXPECT_EQ(in(kIir), 0x02) << "reading IIR ended an interrupt it did not report";
  EXPECT_EQ(in(kIir), 0x01);
}

TEST_F(UartInterrupts, ReportTheTransmitterAfterItsFifoIsReset) {
  out(kIer, 0x02);
  EXPECT_EQ(in(kIir), 0x02);
  out(kFcr, 0x01);
  EXPECT_EQ(in(kIir), 0xc2) << "switching the FIFOs resets them";
  out(kFcr, 0x05);
  EXPECT_EQ(in(kIir), 0xc2);
  out(kFcr, 0x03);
  EXPECT_EQ(in(kIir), 0xc1) << "the receiver's reset is another";
}

TEST_F(UartInterrupts, ReportAnOverrunUntilTheStatusIsRead) {
  out(kMcr, 0x10);
  out(kIer, 0x04);
  out(kThr, 'a');
  EXPECT_FALSE(line.is_high());
  out(kThr, 'b');
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kIir), 0x06);
  EXPECT_EQ(in(kLsr), 0x63);
  EXPECT_FALSE(line.is_high());
}

TEST_F(UartInterrupts, ReportABreak) {
  out(kMcr, 0x10);
  out(kIer, 0x04);
  out(kLcr, 0x40);
  EXPECT_EQ(in(kIir), 0x06);
  EXPECT_EQ(in(kLsr), 0x71);
  EXPECT_EQ(in(kIir), 0x01);
}

TEST_F(UartInterrupts, ReportModemLinesUntilTheyAreRead) {
  out(kMcr, 0x10);
  (void)in(kMsr);
  out(kIer, 0x08);
  EXPECT_FALSE(line.is_high());
  out(kMcr, 0x12);
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kIir), 0x00);
  EXPECT_EQ(in(kMsr), 0x11);
  EXPECT_FALSE(line.is_high());
}

TEST_F(UartInterrupts, ComeInTheOrderOfTheirPriorities) {
  out(kMcr, 0x10);  // CTS, DSR and DCD change: modem status
  out(kIer, 0x0f);  // the transmitter is empty
  out(kThr, 'a');   // a byte
  out(kThr, 'b');   // an overrun
  EXPECT_EQ(in(kIir), 0x06);
  (void)in(kLsr);
  EXPECT_EQ(in(kIir), 0x04);
  (void)in(kRbr);
  EXPECT_EQ(in(kIir), 0x02);
  EXPECT_EQ(in(kIir), 0x00);
  (void)in(kMsr);
  EXPECT_EQ(in(kIir), 0x01);
  EXPECT_FALSE(line.is_high());
}

struct Trigger {
  int fifo_control;
  int level;
};

class UartTriggers : public UartTest, public testing::WithParamInterface<Trigger> {};

TEST_P(UartTriggers, SeparateReceivedDataFromTheTimeout) {
  out(kFcr, GetParam().fifo_control);
  out(kMcr, 0x10);
  out(kIer, 0x01);
  for (int count = 1; count <= 16; ++count) {
    out(kThr, count);
    EXPECT_EQ(in(kIir), count >= GetParam().level ? 0xc4 : 0xcc) << count << " bytes";
  }
  for (int count = 16; count > 0; --count) {
    EXPECT_EQ(in(kIir), count >= GetParam().level ? 0xc4 : 0xcc) << count << " bytes";
    EXPECT_EQ(in(kRbr), 17 - count);
  }
  EXPECT_EQ(in(kIir), 0xc1);
}

TEST_P(UartTriggers, GiveAGuestThatReadsOneByteAnInterruptAnEdgeForEachByte) {
  out(kFcr, GetParam().fifo_control);
  out(kIer, 0x01);
  const std::string text = numbered_text(100);
  ASSERT_EQ(receive(text), text.size());
  std::string got;
  for (int pending = line.take_rising_edges(); pending != 0; pending = line.take_rising_edges()) {
    got.push_back(static_cast<char>(in(kRbr)));
  }
  EXPECT_EQ(got, text);
}

INSTANTIATE_TEST_SUITE_P(Levels, UartTriggers,
                         testing::Values(Trigger{0x01, 1}, Trigger{0x41, 4}, Trigger{0x81, 8},
                                         Trigger{0xc1, 14}));

TEST_F(UartInterrupts, GiveAnEdgeForEachByteWithoutFifosToo) {
  out(kIer, 0x01);
  const std::string text = numbered_text(100);
  ASSERT_EQ(receive(text), text.size());
  std::string got;
  while (line.take_rising_edges() != 0) {
    got.push_back(static_cast<char>(in(kRbr)));
  }
  EXPECT_EQ(got, text);
}

TEST_F(UartInterrupts, EndTheTimeoutWhenTheFifoIsReset) {
  out(kFcr, 0xc1);
  out(kMcr, 0x10);
  out(kIer, 0x01);
  out(kThr, 'x');
  EXPECT_EQ(in(kIir), 0xcc);
  out(kFcr, 0xc3);
  EXPECT_EQ(in(kIir), 0xc1);
  EXPECT_FALSE(line.is_high());
}

TEST_F(UartInterrupts, CanComeUnaskedOnlyWhileInputCanCome) {
  EXPECT_FALSE(uart.may_interrupt());
  out(kIer, 0x0e);
  EXPECT_FALSE(uart.may_interrupt()) << "nothing but input comes by itself";
  out(kIer, 0x01);
  EXPECT_TRUE(uart.may_interrupt());
  out(kMcr, 0x10);
  EXPECT_FALSE(uart.may_interrupt()) << "loopback is deaf";
  out(kMcr, 0x00);
  uart.input_ended();
  EXPECT_FALSE(uart.may_interrupt());
}

TEST_F(UartInterrupts, AndDataSurviveAnInputThreadBesideTheGuest) {
  out(kFcr, 0x81);
  out(kIer, 0x01);
  const std::string text = numbered_text(20'000);
  std::thread sender([&] {
    std::string_view rest = text;
    while (!rest.empty()) {
      rest.remove_prefix(receive(rest));
      std::this_thread::yield();
    }
    uart.input_ended();
  });
  std::string got;
  while (got.size() < text.size()) {
    if ((in(kIir)&0x0f) != 0x01) {
      got.push_back(static_cast<char>(in(kRbr)));
    } else {
      std::this_thread::yield();
    }
  }
  sender.join();
  EXPECT_EQ(got, text);
  EXPECT_FALSE(uart.may_interrupt());
}

}  // namespace
}  // namespace nestling
