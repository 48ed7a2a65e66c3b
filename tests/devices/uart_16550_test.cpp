// The UART's registers, FIFOs, modem lines and loopback, one access at a time.
#include "devices/uart_16550.h"

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/devices/uart_fixture.h"

namespace nestling {
namespace {

using UartRegisters = UartTest;

TEST_F(UartRegisters, StartAsAfterAReset) {
  EXPECT_EQ(in(kIer), 0x00);
  EXPECT_EQ(in(kIir), 0x01);
  EXPECT_EQ(in(kLcr), 0x00);
  EXPECT_EQ(in(kMcr), 0x00);
  EXPECT_EQ(in(kLsr), 0x60);
  EXPECT_EQ(in(kMsr), 0xb0);
  EXPECT_FALSE(line.is_high());
}

TEST_F(UartRegisters, SendEachWrittenByteAtOnce) {
  out(kThr, 'o');
  out(kThr, 'k');
  EXPECT_EQ(output.text(), "ok");
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(UartRegisters, KeepTheScratchByte) {
  for (const int value : {0x00, 0x55, 0xaa, 0xff}) {
    out(kScr, value);
    EXPECT_EQ(in(kScr), value);
  }
}

TEST_F(UartRegisters, KeepOnlyTheFourInterruptEnables) {
  out(kIer, 0xff);
  EXPECT_EQ(in(kIer), 0x0f);
  out(kIer, 0x00);
  EXPECT_EQ(in(kIer), 0x00);
}

TEST_F(UartRegisters, KeepOnlyTheFiveModemControls) {
  out(kMcr, 0xff);
  EXPECT_EQ(in(kMcr), 0x1f);
}

TEST_F(UartRegisters, ShowTheDivisorWhileTheLatchIsOpen) {
  out(kLcr, 0x83);
  EXPECT_EQ(in(kDll), 12);  // 9600 baud from 1.8432 MHz
  EXPECT_EQ(in(kDlm), 0);
  out(kDll, 0x34);
  out(kDlm, 0x12);
  EXPECT_EQ(in(kDll), 0x34);
  EXPECT_EQ(in(kDlm), 0x12);
  out(kLcr, 0x03);
  EXPECT_EQ(in(kIer), 0x00) << "the divisor leaked into IER";
  EXPECT_EQ(output.text(), "") << "the divisor was transmitted";
}

TEST_F(UartRegisters, IgnoreWritesToTheStatusRegisters) {
  out(kLsr, 0x00);
  out(kMsr, 0xff);
  EXPECT_EQ(in(kLsr), 0x60);
  EXPECT_EQ(in(kMsr), 0xb0);
}

TEST_F(UartRegisters, SayInIirWhetherTheFifosAreOn) {
  out(kFcr, 0x01);
  EXPECT_EQ(in(kIir), 0xc1);
  out(kFcr, 0x00);
  EXPECT_EQ(in(kIir), 0x01);
}

TEST_F(UartRegisters, AnswerWideAccessesAsOneByteAfterTheOther) {
  out(kScr, 0x5a);
  // MSR is the byte below SCR.
  EXPECT_EQ(uart.read(kMsr, AccessWidth::of(2)), 0x5ab0U);
  uart.write(kLcr, AccessWidth::of(2), 0x0203);
  EXPECT_EQ(in(kLcr), 0x03);
  EXPECT_EQ(in(kMcr), 0x02);
}

TEST_F(UartRegisters, LieAStrideApart) {
  constexpr std::uint64_t kStride = 4;
  Uart16550 spread(output, line, room, RegisterStride::k4);
  spread.write(kScr * kStride, AccessWidth::of(1), 0xa5);
  EXPECT_EQ(spread.read(kScr * kStride, AccessWidth::of(1)), 0xa5U);
  EXPECT_EQ(spread.read(kScr * kStride, AccessWidth::of(4)), 0xa5U)
      << "bytes between registers read 0";
  spread.write(0, AccessWidth::of(4), 0x2121'2121);
  EXPECT_EQ(output.text(), "!") << "bytes between registers ignore writes";
  EXPECT_EQ(spread.read(kLsr * kStride, AccessWidth::of(1)), 0x60U);
}

TEST_F(UartRegisters, SatisfyTheProbeOfALinuxDriver) {
  // The steps of autoconfig() for a 16550A: IER holds exactly four bits, loopback connects RTS and
  // OUT2 to CTS and DCD, IIR shows working FIFOs, and no later chip's register answers.
  out(kIer, 0x00);
  EXPECT_EQ(in(kIer)&0x0f, 0x00);
  out(kIer, 0x0f);
  EXPECT_EQ(in(kIer)&0x0f, 0x0f);
  out(kIer, 0x00);
  out(kMcr, 0x1a);
  EXPECT_EQ(in(kMsr)&0xf0, 0x90);
  out(kMcr, 0x00);
  out(kLcr, 0xbf);
  out(kFcr, 0x00);
  out(kLcr, 0x00);
  out(kFcr, 0x01);
  EXPECT_EQ(in(kIir) >> 6, 3);
  out(kLcr, 0x80);
  EXPECT_NE(in(kIir), 0x00) << "a zero here would be taken for a 16650's EFR";
  out(kLcr, 0x00);
  out(kFcr, 0x21);
  EXPECT_EQ(in(kIir)&0x20, 0x00) << "a set bit here would be taken for a 16750";
  out(kIer, 0x40);
  EXPECT_EQ(in(kIer), 0x00) << "a kept bit here would be taken for an XScale port";
}

using UartReceiver = UartTest;

TEST_F(UartReceiver, HoldsOneByteWithoutFifos) {
  EXPECT_EQ(receive("ab"), 2U);
  EXPECT_EQ(in(kLsr), 0x61);
  EXPECT_EQ(in(kRbr), 'a');
  EXPECT_EQ(in(kLsr), 0x61);
  EXPECT_EQ(in(kRbr), 'b');
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(UartReceiver, ReadsZeroWhenThereIsNothing) { EXPECT_EQ(in(kRbr), 0); }

TEST_F(UartReceiver, DeliversALongInputWholeAndInOrder) {
  out(kFcr, 0xc1);
  const std::string text = numbered_text(600);
  EXPECT_EQ(receive(text), text.size());
  EXPECT_EQ(read_all_polled(), text);
}

TEST_F(UartReceiver, TakesOnlyWhatTheWireHoldsAndSaysWhenThereIsRoom) {
  const std::string text = numbered_text(Uart16550::kWireSize + 100);
  EXPECT_EQ(receive(text), Uart16550::kWireSize);
  EXPECT_EQ(receive(text), 0U);
  EXPECT_EQ(room.count(), 0);
  EXPECT_EQ(read_all_polled(), text.substr(0, Uart16550::kWireSize));
  EXPECT_EQ(room.count(), 1) << "told once";
  EXPECT_EQ(receive(text.substr(Uart16550::kWireSize)), 100U);
  EXPECT_EQ(read_all_polled(), text.substr(Uart16550::kWireSize));
  EXPECT_EQ(room.count(), 1) << "nobody waits";
}

TEST_F(UartReceiver, ForgetsLoopedBytesWhenTheFifoIsReset) {
  out(kFcr, 0x01);
  out(kMcr, 0x10);
  out(kThr, 'x');
  EXPECT_EQ(in(kLsr)&0x01, 0x01);
  out(kFcr, 0x03);
  EXPECT_EQ(in(kLsr)&0x01, 0x00);
  EXPECT_EQ(in(kRbr), 0);
}

TEST_F(UartReceiver, EmptiesTheFifoWhenTheFifosAreSwitched) {
  out(kFcr, 0x01);
  out(kMcr, 0x10);
  out(kThr, 'x');
  out(kFcr, 0x00);
  EXPECT_EQ(in(kLsr)&0x01, 0x00);
}

TEST_F(UartReceiver, IgnoresResetBitsThatComeWithoutTheEnableBit) {
  out(kMcr, 0x10);
  out(kThr, 'x');
  out(kFcr, 0x02);
  EXPECT_EQ(in(kLsr)&0x01, 0x01);
  EXPECT_EQ(in(kRbr), 'x');
}

TEST_F(UartReceiver, LetsTheHostsBytesArriveAfterAReset) {
  out(kFcr, 0x81);  // trigger level 8
  EXPECT_EQ(receive("input"), 5U);
  EXPECT_EQ(in(kLsr)&0x01, 0x01);
  EXPECT_EQ(in(kRbr), 'i');
  out(kFcr, 0x83);
  EXPECT_EQ(in(kLsr)&0x01, 0x00) << "the reset is visible once";
  EXPECT_EQ(read_all_polled(), "nput");
}

TEST_F(UartReceiver, KeepsTheOrderWhenAResetMeetsAFullWire) {
  out(kFcr, 0xc1);
  const std::string text = numbered_text(Uart16550::kWireSize + 14);
  EXPECT_EQ(receive(text), Uart16550::kWireSize);
  EXPECT_EQ(in(kLsr)&0x01, 0x01);  // 14 bytes arrive and leave room for 14
  EXPECT_EQ(receive(text.substr(Uart16550::kWireSize)), 14U);
  out(kFcr, 0xc3);
  EXPECT_EQ(receive("!"), 0U) << "the wire is more than full";
  (void)in(kLsr);
  EXPECT_EQ(read_all_polled(), text);
}

using UartLoopback = UartTest;

TEST_F(UartLoopback, ReceivesWhatIsSentAndSendsNothingOut) {
  out(kMcr, 0x10);
  out(kThr, 0xae);
  EXPECT_EQ(in(kLsr), 0x61);
  EXPECT_EQ(in(kRbr), 0xae);
  EXPECT_EQ(output.text(), "");
}

TEST_F(UartLoopback, IsDeafToTheWire) {
  out(kMcr, 0x10);
  EXPECT_EQ(receive("w"), 1U);
  EXPECT_EQ(in(kLsr), 0x60);
  out(kMcr, 0x00);
  EXPECT_EQ(in(kLsr), 0x61);
  EXPECT_EQ(in(kRbr), 'w');
}

TEST_F(UartLoopback, ShowsEachModemControlAsItsLine) {
  out(kMcr, 0x10);
  EXPECT_EQ(in(kMsr)&0xf0, 0x00);
  out(kMcr, 0x11);
  EXPECT_EQ(in(kMsr)&0xf0, 0x20) << "DTR is DSR";
  out(kMcr, 0x12);
  EXPECT_EQ(in(kMsr)&0xf0, 0x10) << "RTS is CTS";
  out(kMcr, 0x14);
  EXPECT_EQ(in(kMsr)&0xf0, 0x40) << "OUT1 is RI";
  out(kMcr, 0x18);
  EXPECT_EQ(in(kMsr)&0xf0, 0x80) << "OUT2 is DCD";
}

TEST_F(UartLoopback, ReportsChangedLinesUntilTheyAreRead) {
  out(kMcr, 0x1b);  // the three lines that are on anyway
  EXPECT_EQ(in(kMsr), 0xb0);
  out(kMcr, 0x10);
  EXPECT_EQ(in(kMsr), 0x0b) << "CTS, DSR and DCD changed";
  EXPECT_EQ(in(kMsr), 0x00);
}

TEST_F(UartLoopback, ReportsOnlyTheEndOfARing) {
  out(kMcr, 0x1b);
  out(kMcr, 0x1f);
  EXPECT_EQ(in(kMsr), 0xf0) << "the ring begins";
  out(kMcr, 0x1b);
  EXPECT_EQ(in(kMsr), 0xb4) << "the ring ended";
}

TEST_F(UartLoopback, OverwritesTheOneBufferOnOverrun) {
  out(kMcr, 0x10);
  out(kThr, 'a');
  out(kThr, 'b');
  EXPECT_EQ(in(kLsr), 0x63);
  EXPECT_EQ(in(kLsr), 0x61) << "reading LSR ends the error";
  EXPECT_EQ(in(kRbr), 'b');
  EXPECT_EQ(in(kLsr), 0x60);
}

TEST_F(UartLoopback, KeepsTheSixteenBytesOfTheFifoOnOverrun) {
  out(kFcr, 0x01);
  out(kMcr, 0x10);
  for (int i = 0; i < 16; ++i) {
    out(kThr, i);
  }
  EXPECT_EQ(in(kLsr), 0x61) << "sixteen fit";
  out(kThr, 16);
  EXPECT_EQ(in(kLsr), 0x63);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(in(kRbr), i);
  }
  EXPECT_EQ(in(kLsr), 0x60) << "the seventeenth is lost";
}

TEST_F(UartLoopback, ReceivesABreakAsAZeroByteWithItsFlag) {
  out(kMcr, 0x10);
  out(kLcr, 0x43);
  EXPECT_EQ(in(kLsr), 0x71);
  EXPECT_EQ(in(kLsr), 0x61) << "reading LSR ends the indication";
  EXPECT_EQ(in(kRbr), 0);
  out(kLcr, 0x43);
  EXPECT_EQ(in(kLsr), 0x60) << "a break that goes on is one break";
}

TEST_F(UartLoopback, ShowsABreakWhenItReachesTheTopOfTheFifo) {
  out(kFcr, 0x01);
  out(kMcr, 0x10);
  out(kThr, 'a');
  out(kLcr, 0x43);
  EXPECT_EQ(in(kLsr), 0xe1) << "an error somewhere in the FIFO";
  EXPECT_EQ(in(kRbr), 'a');
  EXPECT_EQ(in(kLsr), 0xf1) << "and now at the top";
  EXPECT_EQ(in(kLsr), 0x61);
}

TEST_F(UartLoopback, DoesNotHappenToABreakOnTheRealLine) {
  out(kLcr, 0x43);
  EXPECT_EQ(in(kLsr), 0x60);
  EXPECT_EQ(output.text(), "");
}

}  // namespace
}  // namespace nestling
