// The PL011's registers, receiver, transmitter and loopback (Arm DDI 0183).
#include <thread>

#include "tests/devices/pl011_fixture.h"

namespace nestling {
namespace {

using Pl011Registers = Pl011Test;

TEST_F(Pl011Registers, StartAsFirmwareLeavesThem) {
  EXPECT_EQ(in(kCr), 0x301U) << "UART, transmitter and receiver are on";
  EXPECT_EQ(in(kLcrH), 0x70U) << "FIFOs, 8 bits, no parity";
  EXPECT_EQ(in(kIbrd), 13U) << "115200 baud of 24 MHz";
  EXPECT_EQ(in(kFbrd), 1U);
  EXPECT_EQ(in(kIfls), 0x12U);
  EXPECT_EQ(in(kFr), 0x97U) << "both FIFOs empty; CTS, DSR and DCD on";
  for (const std::uint64_t offset : {kRsr, kIlpr, kImsc, kRis, kMis, kDmacr}) {
    EXPECT_EQ(in(offset), 0U) << offset;
  }
  EXPECT_FALSE(line.is_high());
}

TEST_F(Pl011Registers, KeepTheBitsThatTheManualGivesThem) {
  const struct {
    std::uint64_t offset, kept;
  } registers[] = {{kIlpr, 0xff}, {kIbrd, 0xffff}, {kFbrd, 0x3f},  {kLcrH, 0xff},
                   {kCr, 0xff87}, {kIfls, 0x3f},   {kImsc, 0x7ff}, {kDmacr, 0x7}};
  for (const auto& each : registers) {
    out(each.offset, 0xffff'ffff);
    EXPECT_EQ(in(each.offset), each.kept) << each.offset;
    out(each.offset, 0);
    EXPECT_EQ(in(each.offset), 0U) << each.offset;
  }
}

TEST_F(Pl011Registers, IgnoreWritesToWhatIsReadOnly) {
  out(kFr, 0xffff'ffff);
  out(kRis, 0xffff'ffff);
  out(kMis, 0xffff'ffff);
  out(0xfe0, 0xffff'ffff);
  EXPECT_EQ(in(kFr), 0x97U);
  EXPECT_EQ(in(kRis), 0U);
  EXPECT_EQ(in(0xfe0), 0x11U);
}

TEST_F(Pl011Registers, ReadZeroWhereThereAreNone) {
  for (const std::uint64_t offset : {0x08U, 0x1cU, 0x4cU, 0x80U, 0xfdcU}) {
    EXPECT_EQ(in(offset), 0U) << offset;
  }
}

TEST_F(Pl011Registers, SayWhatTheyAre) {
  // Linux reads these to find its driver, and the revision for the size of the FIFOs.
  const std::uint64_t ids[] = {0x11, 0x10, 0x24, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  for (std::uint64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(in(0xfe0 + 4 * i), ids[i]) << i;
  }
}

TEST_F(Pl011Registers, AnswerBytesAndHalfWords) {
  uart.write(kDr, AccessWidth::of(1), 'b');
  uart.write(kDr, AccessWidth::of(2), 'h');
  EXPECT_EQ(output.text(), "bh");
  EXPECT_EQ(uart.read(kCr, AccessWidth::of(1)), 0x01U);
  EXPECT_EQ(uart.read(kCr, AccessWidth::of(2)), 0x301U);
  EXPECT_EQ(uart.read(kCr + 1, AccessWidth::of(1)), 0U) << "no register begins there";
}

using Pl011Transmitter = Pl011Test;

TEST_F(Pl011Transmitter, SendsEachByteAtOnce) {
  send("now");
  EXPECT_EQ(output.text(), "now");
  EXPECT_EQ(in(kFr) & (kTxfe | kTxff), kTxfe);
}

TEST_F(Pl011Transmitter, SendsOnlyTheLowByteOfWhatIsWritten) {
  out(kDr, 0xffff'ff41);
  EXPECT_EQ(output.text(), "A");
}

TEST_F(Pl011Transmitter, KeepsWhatIsWrittenWhileItIsOff) {
  for (const std::uint64_t control : {0x300U, 0x201U}) {
    out(kCr, control);
    send("ab");
    EXPECT_EQ(output.text(), "");
    EXPECT_EQ(in(kFr) & (kTxfe | kTxff), 0U);
    out(kLcrH, 0x60);  // switching the FIFOs empties them
    out(kLcrH, 0x70);
  }
  send("0123456789abcdef");
  EXPECT_EQ(in(kFr)&kTxff, kTxff) << "16 bytes";
  send("lost");
  out(kCr, kOn);
  EXPECT_EQ(output.text(), "0123456789abcdef");
  EXPECT_EQ(in(kFr) & (kTxfe | kTxff), kTxfe);
}

TEST_F(Pl011Transmitter, HasRoomForOneByteWithoutFifos) {
  out(kLcrH, 0x60);
  out(kCr, 0x300);
  send("ab");
  EXPECT_EQ(in(kFr)&kTxff, kTxff);
  out(kCr, kOn);
  EXPECT_EQ(output.text(), "a");
}

using Pl011Receiver = Pl011Test;

TEST_F(Pl011Receiver, DeliversALongInputWholeAndInOrder) {
  const std::string text = numbered_text(600);
  EXPECT_EQ(receive(text), text.size());
  EXPECT_EQ(read_all_polled(), text);
}

TEST_F(Pl011Receiver, HoldsOneByteWithoutFifos) {
  out(kLcrH, 0x60);
  EXPECT_EQ(receive("ab"), 2U);
  EXPECT_EQ(in(kFr) & (kRxfe | kRxff), kRxff);
  EXPECT_EQ(in(kDr), 'a');
  EXPECT_EQ(in(kFr) & (kRxfe | kRxff), kRxff);
  EXPECT_EQ(in(kDr), 'b');
  EXPECT_EQ(in(kFr) & (kRxfe | kRxff), kRxfe);
}

TEST_F(Pl011Receiver, ReadsZeroWhenThereIsNothing) { EXPECT_EQ(in(kDr), 0U); }

TEST_F(Pl011Receiver, LeavesInputOnTheWireWhileItIsOff) {
  for (const std::uint64_t control : {0x300U, 0x101U}) {
    out(kCr, control);
    EXPECT_EQ(receive("x"), 1U);
    EXPECT_EQ(in(kFr)&kRxfe, kRxfe);
    EXPECT_EQ(in(kDr), 0U);
  }
  out(kCr, kOn);
  EXPECT_EQ(read_all_polled(), "xx");
}

TEST_F(Pl011Receiver, TakesOnlyWhatTheWireHoldsAndSaysWhenThereIsRoom) {
  const std::string text = numbered_text(Pl011::kWireSize + 100);
  EXPECT_EQ(receive(text), Pl011::kWireSize);
  EXPECT_EQ(receive(text), 0U);
  EXPECT_EQ(room.count(), 0);
  EXPECT_EQ(read_all_polled(), text.substr(0, Pl011::kWireSize));
  EXPECT_EQ(room.count(), 1) << "told once";
  EXPECT_EQ(receive(text.substr(Pl011::kWireSize)), 100U);
  EXPECT_EQ(read_all_polled(), text.substr(Pl011::kWireSize));
  EXPECT_EQ(room.count(), 1) << "nobody waits";
}

TEST_F(Pl011Receiver, LetsTheHostsBytesArriveAgainWhenTheFifosAreSwitched) {
  // A guest that sets up its port twice loses no piped input.
  EXPECT_EQ(receive("input"), 5U);
  EXPECT_EQ(in(kFr)&kRxfe, 0U);
  EXPECT_EQ(in(kDr), 'i');
  out(kLcrH, 0x60);
  EXPECT_EQ(in(kRis), 0U);
  out(kLcrH, 0x70);
  EXPECT_EQ(read_all_polled(), "nput");
}

TEST_F(Pl011Receiver, KeepsTheOrderWhenASwitchMeetsAFullWire) {
  const std::string text = numbered_text(Pl011::kWireSize + 8);
  EXPECT_EQ(receive(text), Pl011::kWireSize);
  EXPECT_EQ(in(kFr)&kRxfe, 0U);  // 8 bytes arrive and leave room for 8
  EXPECT_EQ(receive(text.substr(Pl011::kWireSize)), 8U);
  out(kLcrH, 0x60);
  EXPECT_EQ(receive("!"), 0U) << "the wire is more than full";
  EXPECT_EQ(read_all_polled(), text);
}

using Pl011Loopback = Pl011Test;

TEST_F(Pl011Loopback, ReceivesWhatIsSentAndSendsNothingOut) {
  out(kCr, kLoop);
  send("xy");
  EXPECT_EQ(output.text(), "");
  EXPECT_EQ(in(kDr), 'x');
  EXPECT_EQ(in(kDr), 'y');
}

TEST_F(Pl011Loopback, IsDeafToTheWire) {
  out(kCr, kLoop);
  EXPECT_EQ(receive("x"), 1U);
  EXPECT_EQ(in(kFr)&kRxfe, kRxfe);
  out(kCr, kOn);
  EXPECT_EQ(read_all_polled(), "x");
}

TEST_F(Pl011Loopback, ShowsEachModemControlAsItsLine) {
  out(kCr, kLoop | 1U << 10);
  EXPECT_EQ(in(kFr)&0x107, 0x002U) << "DTR as DSR";
  out(kCr, kLoop | 1U << 11);
  EXPECT_EQ(in(kFr)&0x107, 0x001U) << "RTS as CTS";
  out(kCr, kLoop | 1U << 12);
  EXPECT_EQ(in(kFr)&0x107, 0x004U) << "OUT1 as DCD";
  out(kCr, kLoop | 1U << 13);
  EXPECT_EQ(in(kFr)&0x107, 0x100U) << "OUT2 as RI";
}

TEST_F(Pl011Loopback, ReportsChangedModemLinesUntilTheyAreCleared) {
  out(kCr, kLoop);
  EXPECT_EQ(in(kRis), 0xeU) << "CTS, DCD and DSR went off";
  out(kIcr, 0x2);
  EXPECT_EQ(in(kRis), 0xcU);
  out(kIcr, 0xf);
  out(kCr, kLoop | 1U << 13);
  EXPECT_EQ(in(kRis), 0x1U) << "the ring began";
}

TEST_F(Pl011Loopback, LosesWhatAFullFifoHasNoRoomFor) {
  out(kCr, kLoop);
  send("0123456789abcdef");
  EXPECT_EQ(in(kFr)&kRxff, kRxff);
  EXPECT_EQ(in(kRis)&kOe, 0U);
  send("g");
  EXPECT_EQ(in(kRis)&kOe, kOe);
  EXPECT_EQ(in(kRsr), 0x8U);
  EXPECT_EQ(in(kDr), 0x800U | '0') << "the overrun shows beside what is read";
  send("h");
  EXPECT_EQ(in(kDr), '1') << "until a character came in again";
  EXPECT_EQ(in(kRsr), 0x8U);
  out(kRsr, 0);
  EXPECT_EQ(in(kRsr), 0U);
  std::string rest;
  while ((in(kFr)&kRxfe) == 0) {
    rest.push_back(static_cast<char>(in(kDr)));
  }
  EXPECT_EQ(rest, "23456789abcdefh");
}

TEST_F(Pl011Loopback, ReceivesABreakAsAZeroByteWithItsFlag) {
  out(kCr, kLoop);
  send("a");
  out(kLcrH, 0x71);
  send("b");
  EXPECT_EQ(in(kRis)&kBe, kBe);
  EXPECT_EQ(in(kDr), 'a');
  EXPECT_EQ(in(kDr), 0x400U);
  EXPECT_EQ(in(kRsr), 0x4U) << "of the character read last";
  EXPECT_EQ(in(kDr), 'b');
  EXPECT_EQ(in(kRsr), 0x0U);
}

TEST_F(Pl011Loopback, DoesNotHappenToABreakOnTheRealLine) {
  out(kLcrH, 0x71);
  EXPECT_EQ(in(kFr)&kRxfe, kRxfe);
  EXPECT_EQ(output.text(), "");
}

using Pl011Interrupts = Pl011Test;

TEST_F(Pl011Interrupts, AreSilentWhileMasked) {
  EXPECT_EQ(receive("x"), 1U);
  send("y");
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(in(kRis), kTx);
  EXPECT_EQ(in(kMis), 0U);
}

TEST_F(Pl011Interrupts, ReportAByteByTheTimeoutUntilItIsRead) {
  out(kImsc, kRx | kRt);
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(receive("x"), 1U);
  EXPECT_TRUE(line.is_high());
  EXPECT_EQ(in(kMis), kRt) << "below the level of 8";
  EXPECT_EQ(in(kDr), 'x');
  EXPECT_EQ(in(kMis), 0U);
  EXPECT_FALSE(line.is_high());
}

TEST_F(Pl011Interrupts, ReportAByteThatCameBeforeTheyWereEnabled) {
  EXPECT_EQ(receive("x"), 1U);
  out(kImsc, kRt);
  EXPECT_TRUE(line.is_high());
}

TEST_F(Pl011Interrupts, ReportTheFifoAtItsLevel) {
  const struct {
    std::uint64_t select;
    std::size_t level;
  } levels[] = {{0, 2}, {1, 4}, {2, 8}, {3, 12}, {4, 14}, {7, 8}};
  for (const auto& each : levels) {
    out(kIfls, each.select << 3);
    out(kImsc, kRx);
    EXPECT_EQ(receive(numbered_text(each.level - 1)), each.level - 1);
    EXPECT_FALSE(line.is_high()) << each.select;
    EXPECT_EQ(receive("z"), 1U);
    EXPECT_TRUE(line.is_high()) << each.select;
    EXPECT_EQ(in(kMis), kRx);
    EXPECT_NE(in(kDr), 0U);
    EXPECT_FALSE(line.is_high()) << "below the level again";
    out(kImsc, 0);
    EXPECT_EQ(read_all_polled().size(), each.level - 1);
  }
}

TEST_F(Pl011Interrupts, ReportEachByteWithoutFifos) {
  out(kLcrH, 0x60);
  out(kImsc, kRx | kRt);
  EXPECT_EQ(receive("ab"), 2U);
  EXPECT_EQ(in(kMis), kRx);
  EXPECT_EQ(line.take_rising_edges(), 1);
  EXPECT_EQ(in(kDr), 'a');
  EXPECT_EQ(in(kMis), kRx);
  EXPECT_EQ(line.take_rising_edges(), 1) << "a new edge for the next";
  EXPECT_EQ(in(kDr), 'b');
  EXPECT_FALSE(line.is_high());
}

TEST_F(Pl011Interrupts, GiveAGuestThatReadsOneByteAnInterruptAnEdgeForEachByte) {
  out(kImsc, kRx | kRt);
  const std::string text = numbered_text(100);
  EXPECT_EQ(receive(text), text.size());
  std::string got;
  while (line.take_rising_edges() > 0) {
    got.push_back(static_cast<char>(in(kDr)));
  }
  EXPECT_EQ(got, text);
}

TEST_F(Pl011Interrupts, EndWhenTheyAreClearedThoughNobodyRead) {
  out(kImsc, kRx | kRt);
  EXPECT_EQ(receive("x"), 1U);
  out(kIcr, kRt);
  EXPECT_FALSE(line.is_high());
  EXPECT_EQ(receive("y"), 1U);
  EXPECT_TRUE(line.is_high()) << "another character";
  EXPECT_EQ(in(kDr), 'x');
}

TEST_F(Pl011Interrupts, ReportTheTransmitterAfterEachByteAndNotBefore) {
  out(kImsc, kTx);
  EXPECT_FALSE(line.is_high()) << "the FIFO has not passed its level yet";
  send("a");
  EXPECT_TRUE(line.is_high());
  out(kIcr, kTx);
  EXPECT_FALSE(line.is_high());
  (void)line.take_rising_edges();
  send("b");
  send("c");
  EXPECT_EQ(line.take_rising_edges(), 2);
}

TEST_F(Pl011Interrupts, CanComeUnaskedOnlyWhileInputCanCome) {
  EXPECT_FALSE(uart.may_interrupt());
  out(kImsc, 0x7af);
  EXPECT_FALSE(uart.may_interrupt()) << "nothing but input comes by itself";
  out(kImsc, kRx);
  EXPECT_TRUE(uart.may_interrupt());
  out(kImsc, kRt);
  EXPECT_TRUE(uart.may_interrupt());
  out(kCr, kLoop);
  EXPECT_FALSE(uart.may_interrupt()) << "loopback is deaf";
  out(kCr, 0x101);
  EXPECT_FALSE(uart.may_interrupt()) << "the receiver is off";
  out(kCr, kOn);
  uart.input_ended();
  EXPECT_FALSE(uart.may_interrupt());
}

TEST_F(Pl011Interrupts, AndDataSurviveAnInputThreadBesideTheGuest) {
  out(kImsc, kRx | kRt);
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
    if (in(kMis) != 0) {
      got.push_back(static_cast<char>(in(kDr)));
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
