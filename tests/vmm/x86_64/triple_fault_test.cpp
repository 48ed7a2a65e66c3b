// What is said of a triple fault: named where it is proved, called probable where it is not.
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/tiny_guest.h"
#include "vmm/x86_64/crash_report.h"

namespace nestling::x86_64 {
namespace {

std::string reason(TinyGuest& guest, const SymbolTable& symbols = {}) {
  const CrashScene scene{.cpu = guest.cpu(),
                         .memory = guest.memory(),
                         .features = {},
                         .symbols = symbols,
                         .last_exits = {},
                         .last_console_line = {}};
  return triple_fault_reason(scene);
}

const std::string kAt = "triple fault at 0x100000: ";
const std::string kEmptyIdt = " with no handler: the IDT is empty (limit 0)";

TEST(TripleFault, NamesUd2WithAnEmptyIdt) {
  TinyGuest guest;
  guest.write_code({0x0f, 0x0b});
  EXPECT_EQ(reason(guest), kAt + "#UD (ud2)" + kEmptyIdt);
}

TEST(TripleFault, NamesTheSymbol) {
  TinyGuest guest;
  guest.write_code({0x0f, 0x0b});
  const SymbolTable symbols({{.start = GuestVirtAddr(TinyGuest::kCode - 0x14),
                              .size = 0x20,
                              .kind = SymbolKind::kFunction,
                              .name = "crash_now\x1b"}});
  EXPECT_EQ(reason(guest, symbols),
            "triple fault at 0x100000 in crash_now\\x1b+0x14: #UD (ud2)" + kEmptyIdt);
}

TEST(TripleFault, NamesInstructionsThatAlwaysFault) {
  const auto what = [](std::initializer_list<std::uint8_t> code) {
    TinyGuest guest;
    guest.write_code(code);
    const std::string text = reason(guest);
    return text.substr(kAt.size(), text.find(" with") - kAt.size());
  };
  EXPECT_EQ(what({0xcc}), "#BP (int3)");
  EXPECT_EQ(what({0xf1}), "#DB (int1)");
  EXPECT_EQ(what({0xcd, 0x80}), "vector 0x80 (int 0x80)");
  EXPECT_EQ(what({0xcd, 0x0d}), "#GP (int 0xd)");
  EXPECT_EQ(what({0x0f, 0xff, 0xc0}), "#UD (ud0)");
  EXPECT_EQ(what({0x0f, 0xb9, 0xc0}), "#UD (ud1)");
  EXPECT_EQ(what({0x66, 0x0f, 0x0b}), "#UD (ud2)");
  EXPECT_EQ(what({0x48, 0x0f, 0x0b}), "#UD (ud2)");
  EXPECT_EQ(what({0x0f, 0xa2}), "an exception") << "cpuid never faults";
}

TEST(TripleFault, NamesADivisionOnlyWhereTheDivisorIsZero) {
  const auto divides = [](std::initializer_list<std::uint8_t> code) {
    TinyGuest guest;
    guest.cpu().rax = 0x00ff;
    guest.cpu().rcx = 0xffff'ffff'0000'0000;
    guest.cpu().r9 = 0;
    guest.write_code(code);
    return reason(guest).find("#DE (division by zero)") != std::string::npos;
  };
  EXPECT_TRUE(divides({0xf7, 0xf1})) << "div ecx";
  EXPECT_FALSE(divides({0x48, 0xf7, 0xf1})) << "div rcx";
  EXPECT_TRUE(divides({0x49, 0xf7, 0xf9})) << "idiv r9";
  EXPECT_TRUE(divides({0x66, 0xf7, 0xf1})) << "div cx";
  EXPECT_TRUE(divides({0xf6, 0xf4})) << "div ah";
  EXPECT_FALSE(divides({0xf6, 0xf0})) << "div al";
  EXPECT_FALSE(divides({0xf7, 0xe1})) << "mul ecx";
  EXPECT_FALSE(divides({0xf7, 0x31})) << "div by memory";
}

TEST(TripleFault, NamesPrivilegedInstructionsOutsideRing0) {
  TinyGuest guest;
  guest.write64(TinyGuest::kPml4, TinyGuest::kPdpt | 7);
  guest.write64(TinyGuest::kPdpt, TinyGuest::kPd | 7);
  guest.write64(TinyGuest::kPd, 0x87);
  guest.write_code({0xf4});
  EXPECT_EQ(reason(guest), kAt + "an exception" + kEmptyIdt) << "hlt in ring 0 is no fault";
  guest.cpu().ss.privilege_level = 3;
  EXPECT_EQ(reason(guest), kAt + "#GP (hlt outside ring 0)" + kEmptyIdt);
  guest.write_code({0xfa});
  EXPECT_EQ(reason(guest), kAt + "#GP (cli without I/O privilege)" + kEmptyIdt);
  guest.cpu().rflags |= 3U << 12;
  EXPECT_EQ(reason(guest), kAt + "an exception" + kEmptyIdt) << "IOPL 3 allows it";
}

TEST(TripleFault, NamesAFetchThatFails) {
  TinyGuest guest;
  guest.cpu().rip = TinyGuest::kSmallPages + 0x10;
  EXPECT_EQ(reason(guest),
            "triple fault at 0x200010: #PF (RIP: its PT entry is not present)" + kEmptyIdt);
  guest.cpu().rip = 0x8000'0000'0000'0000;
  EXPECT_EQ(
      reason(guest),
      "triple fault at 0x8000000000000000: #GP (RIP: the address is not canonical)" + kEmptyIdt);
}

TEST(TripleFault, SaysWhereRipIsMappedToNoMemory) {
  TinyGuest guest;
  guest.write64(TinyGuest::kPt, 0x7000'0003);
  guest.cpu().rip = TinyGuest::kSmallPages;
  EXPECT_EQ(reason(guest),
            "triple fault at 0x200000: RIP is mapped to 0x70000000, where no guest memory is");
  guest.cpu().cr3 = 0x7000'0000;
  EXPECT_EQ(reason(guest),
            "triple fault at 0x200000: RIP cannot be translated: its PML4 is at 0x70000000, where "
            "no guest memory is");
}

TEST(TripleFault, CallsAPageFaultProbableWhereOnlyCr2TellsOfIt) {
  TinyGuest guest;
  guest.write_code({0x8b, 0x00});  // mov eax, [rax]
  guest.cpu().cr2 = 0x4000'0000;
  EXPECT_EQ(reason(guest),
            kAt + "probably #PF at 0x40000000 (its PDPT entry is not present)" + kEmptyIdt);
}

TEST(TripleFault, RecognisesAStackThatRanOut) {
  TinyGuest guest;
  guest.write_code({0x50});  // push rax
  guest.cpu().rsp = TinyGuest::kSmallPages + 0x1000;
  guest.cpu().cr2 = TinyGuest::kSmallPages + 0xff8;
  guest.set_gate(8, TinyGuest::kCode);
  guest.set_gate(14, TinyGuest::kCode);
  EXPECT_EQ(reason(guest), kAt +
                               "probably #PF on the stack at 0x200ff8 (its PT entry is not "
                               "present) with no stack: 0x200ff8 cannot be written, its PT entry "
                               "is not present");
}

TEST(TripleFault, DoesNotNameAnExceptionItCannotProve) {
  TinyGuest guest;
  guest.write_code({0x8b, 0x00});
  EXPECT_EQ(reason(guest), kAt + "an exception" + kEmptyIdt);
  guest.cpu().cr2 = TinyGuest::kCode;  // mapped: an old fault's
  EXPECT_EQ(reason(guest), kAt + "an exception" + kEmptyIdt);
}

/// What follows "#UD (ud2) with " once `change` spoilt a guest that has a sound gate for it.
template <typename Change>
std::string obstacle_after(Change change) {
  TinyGuest guest;
  guest.write_code({0x0f, 0x0b});
  guest.set_gate(6, TinyGuest::kCode);
  change(guest);
  const std::string start = kAt + "#UD (ud2) with ";
  const std::string text = reason(guest);
  return text.starts_with(start) ? text.substr(start.size()) : "not expected: " + text;
}

TEST(TripleFault, SaysWhatIsWrongWithTheGate) {
  constexpr std::uint64_t kGate = TinyGuest::kIdt + 6 * 16;
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.cpu().idtr.limit = 6 * 16 - 1; }),
            "no handler: the IDT ends before it (limit 0x5f)");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.write64(kGate, 0); }),
            "no handler: its IDT gate is not present");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.write64(kGate, 0x10'8500'0008'0000); }),
            "no handler: its IDT gate has type 0x5");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.write64(kGate, 0x10'8e00'0000'0000); }),
            "no handler: its gate's selector is null");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.cpu().gdtr.limit = 7; }),
            "no handler: its gate's selector 0x8 is outside the GDT (limit 0x7)");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.write64(TinyGuest::kGdt + 8, 0); }),
            "no handler: its gate's selector 0x8 is no present code segment");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.cpu().idtr.base = 0x4000'0000; }),
            "no handler: the IDT at 0x40000000 is not mapped");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.set_gate(6, TinyGuest::kSmallPages); }),
            "a handler at 0x200000 that cannot be fetched: its PT entry is not present");
}

TEST(TripleFault, SaysWhatIsWrongWithTheStackOfTheHandler) {
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.cpu().rsp = 0; }),
            "no stack: 0xfffffffffffffff8 cannot be written, its PML4 entry is not present");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) { guest.cpu().rsp = 0x0100'0000'0000'0000; }),
            "no stack: 0xfffffffffffff8 cannot be written, the address is not canonical");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) {
              guest.set_gate(6, TinyGuest::kCode, 1);
              guest.cpu().tr.limit = 30;
            }),
            "no stack: the TSS is too short (limit 0x1e)");
  EXPECT_EQ(obstacle_after([](TinyGuest& guest) {
              guest.set_gate(6, TinyGuest::kCode, 1);
              guest.cpu().tr.base = 0x4000'0000;
            }),
            "no stack: the TSS at 0x40000000 is not mapped");
}

TEST(TripleFault, BlamesTheDoubleFaultsGateWhereTheFirstOneIsSound) {
  TinyGuest guest;
  guest.write_code({0x0f, 0x0b});
  guest.set_gate(6, TinyGuest::kCode);
  EXPECT_EQ(reason(guest),
            kAt + "#UD (ud2), then #DF with no handler: its IDT gate is not present");
  guest.set_gate(8, TinyGuest::kCode);
  EXPECT_EQ(reason(guest), kAt + "#UD (ud2), and then #DF, could not be delivered");
}

TEST(TripleFault, SaysThatAHostThrewTheRegistersAway) {
  TinyGuest guest;
  guest.cpu() = CpuState{};
  guest.cpu().rip = 0xfff0;
  guest.cpu().cs.base = 0xffff'0000;
  guest.cpu().cr0 = 0x6000'0010;
  EXPECT_EQ(reason(guest),
            "triple fault at 0xfffffff0: this host's processor does not keep the registers of a "
            "CPU that shut down, so they tell nothing");
}

TEST(TripleFault, IsExplainedIn32BitCode) {
  TinyGuest guest;
  CpuState& cpu = guest.cpu();
  cpu.cr0 = 0x11;
  cpu.efer = 0;
  cpu.cs.long_mode = false;
  cpu.cs.default_big = true;
  guest.write_code({0x0f, 0x0b});
  EXPECT_EQ(reason(guest), kAt + "#UD (ud2)" + kEmptyIdt);
  cpu.idtr = {.base = TinyGuest::kIdt, .limit = 0x7ff};
  EXPECT_EQ(reason(guest), kAt + "#UD (ud2) with no handler: its IDT gate is not present");
}

}  // namespace
}  // namespace nestling::x86_64
