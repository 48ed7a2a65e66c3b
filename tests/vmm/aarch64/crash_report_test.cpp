// The whole report of an arm64 guest, word for word, and ones of guests that left nothing but
// nonsense.
#include "vmm/aarch64/crash_report.h"

#include <array>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "boot/aarch64/boot_vectors.h"
#include "tests/support/tiny_arm_guest.h"
#include "vmm/aarch64/backtrace.h"
#include "vmm/aarch64/exception_state.h"
#include "vmm/aarch64/page_walk_text.h"

namespace nestling::aarch64 {
namespace {

constexpr std::uint32_t kNop = 0xd503'201f;
constexpr std::uint32_t kUndefined = 0x0000'0000;  // udf #0

CrashScene scene_of(TinyGuest& guest, const SymbolTable& symbols) {
  return {.cpu = guest.cpu(),
          .memory = guest.memory(),
          .symbols = symbols,
          .last_exits = {},
          .last_console_line = {}};
}

std::string report_of(TinyGuest& guest) {
  const SymbolTable symbols;
  return crash_report(scene_of(guest, symbols));
}

void put_boot_vectors(TinyGuest& guest) {
  const auto vectors = make_boot_vectors(GuestPhysAddr(TinyGuest::kVectors));
  ASSERT_TRUE(vectors);
  ASSERT_TRUE(
      guest.memory().write(GuestPhysAddr(TinyGuest::kVectors), std::as_bytes(std::span(*vectors))));
}

/// The guest after `udf` at kCode, with nothing but the vectors it was handed.
void crash_without_handler(TinyGuest& guest) {
  put_boot_vectors(guest);
  guest.write_code({kUndefined});
  CpuState& cpu = guest.cpu();
  cpu.elr = cpu.pc;
  cpu.spsr = 0x6000'03c5;
  cpu.esr = 0x0200'0000;
  cpu.pc = TinyGuest::kVectors + 0x200;
}

const SymbolTable& crash_symbols() {
  static const SymbolTable kSymbols({{.start = GuestVirtAddr(TinyGuest::kCode - 0x20),
                                      .size = 0x20,
                                      .kind = SymbolKind::kFunction,
                                      .name = "kernel_main"},
                                     {.start = GuestVirtAddr(TinyGuest::kCode),
                                      .size = 0x20,
                                      .kind = SymbolKind::kFunction,
                                      .name = "_Z9crash_nowv"}});
  return kSymbols;
}

TEST(ArmCrashReport, ShowsEverythingOfACrash) {
  TinyGuest guest;
  CpuState& cpu = guest.cpu();
  crash_without_handler(guest);
  cpu.x[0] = 0x1234;
  cpu.ttbr1 = 0x1de7'ec7e'dbad'c0de;
  cpu.x[29] = TinyGuest::kRam + 0x7000;
  guest.write64(TinyGuest::kRam + 0x7000, 0);
  guest.write64(TinyGuest::kRam + 0x7008, TinyGuest::kCode - 4);
  cpu.sp_el1 = TinyGuest::kSmallPages + 0x1ff0;
  guest.write64(TinyGuest::kLevel3 + 8,
                (TinyGuest::kRam + 0x30'0000) | TinyGuest::kUsed | 0x80 | TinyGuest::kPage);
  const std::array exits{
      ExitRecord{.kind = 1,
                 .direction = Direction::kWrite,
                 .size = 1,
                 .address = 0x900'0000,
                 .value = 0x21},
      ExitRecord{
          .kind = 1, .direction = Direction::kRead, .size = 4, .address = 0x3fff'f010, .value = 0}};
  const std::string report = crash_report({.vcpu = 0,
                                           .cpu = cpu,
                                           .memory = guest.memory(),
                                           .symbols = crash_symbols(),
                                           .last_exits = exits,
                                           .exit_count = 57,
                                           .last_console_line = "about to crash\x1b[2J"});
  EXPECT_EQ(report, R"(vCPU 0 at 0x40100000 in crash_now()+0x0
  before the exception, which no handler took: undefined instruction
  x0  0000000000001234  x1  0000000000000000  x2  0000000000000000  x3  0000000000000000
  x4  0000000000000000  x5  0000000000000000  x6  0000000000000000  x7  0000000000000000
  x8  0000000000000000  x9  0000000000000000  x10 0000000000000000  x11 0000000000000000
  x12 0000000000000000  x13 0000000000000000  x14 0000000000000000  x15 0000000000000000
  x16 0000000000000000  x17 0000000000000000  x18 0000000000000000  x19 0000000000000000
  x20 0000000000000000  x21 0000000000000000  x22 0000000000000000  x23 0000000000000000
  x24 0000000000000000  x25 0000000000000000  x26 0000000000000000  x27 0000000000000000
  x28 0000000000000000  x29 0000000040007000  x30 0000000000000000  sp  0000000040201ff0
  pc  0000000040100000  pstate 600003c5 EL1h DAIF masked ZC
  sp_el0 0x0000000000000000  sp_el1 0x0000000040201ff0
  esr_el1   0x02000000 undefined instruction
  far_el1   0x0000000000000000
  elr_el1   0x0000000040100000
  spsr_el1  0x600003c5 EL1h DAIF masked ZC
  vbar_el1  0x0000000040010000
  sctlr_el1 0x30d00801 M EOS TSCXT EIS SPAN nTLSMD LSMAOE
  tcr_el1   0x0000000200800019 TTBR0 39 bits in 4 KiB pages, TTBR1 off, output 40 bits
  ttbr0_el1 0x0000000040001000
  ttbr1_el1 never set
  mair_el1  0x00000000000000ff
  cpacr_el1 0x0
  mpidr_el1 0x80000000
instructions from 0x400ffff0, pc in brackets
  00000000 00000000 00000000 00000000 [00000000] 00000000 00000000 00000000
page walk of pc 0x0000000040100000 (EL1 fetch, TTBR0, 4 KiB granule)
  level 1 0x0000000040001000 [0x001] = 0x0000000040002003  table
  level 2 0x0000000040002000 [0x000] = 0x0000000040000701  AF inner-shareable attributes 0
  -> 0x40100000 in a 2 MiB page, rwx
page walk of sp 0x0000000040201ff0 (EL1 write, TTBR0, 4 KiB granule)
  level 1 0x0000000040001000 [0x001] = 0x0000000040002003  table
  level 2 0x0000000040002000 [0x001] = 0x0000000040003003  table
  level 3 0x0000000040003000 [0x001] = 0x0000000040300783  RO AF inner-shareable attributes 0
  stops: permission fault at level 3, status 0xf
backtrace by frame pointers
  #0  0x0000000040100000 crash_now()+0x0
  #1  0x00000000400ffffc kernel_main+0x1c
  end: outermost frame
last 2 of 57 exits, oldest first
  mmio write 1 byte at 0x9000000: 0x21
  mmio read 4 bytes at 0x3ffff010: 0x0
last console line: "about to crash\x1b[2J"
)");
}

TEST(ArmCrashReport, TellsWhichExceptionNobodyHandled) {
  TinyGuest guest;
  crash_without_handler(guest);
  EXPECT_EQ(unhandled_exception_reason(scene_of(guest, crash_symbols())),
            "exception without a handler at 0x40100000 in crash_now()+0x0: undefined instruction");
  guest.cpu().esr = 0x9600'0045;
  guest.cpu().far = 0xdead'0000;
  EXPECT_EQ(unhandled_exception_reason(scene_of(guest, crash_symbols())),
            "exception without a handler at 0x40100000 in crash_now()+0x0: data abort in EL1: "
            "translation fault at level 1, write, address 0xdead0000");
  guest.cpu().esr = 0x8600'0004;
  EXPECT_EQ(unhandled_exception_reason(scene_of(guest, crash_symbols())),
            "exception without a handler at 0x40100000 in crash_now()+0x0: instruction abort in "
            "EL1: translation fault at level 0, address 0xdead0000");
}

TEST(ArmCrashReport, WalksToTheAddressOfAnAbort) {
  TinyGuest guest;
  crash_without_handler(guest);
  guest.cpu().esr = 0x9600'0045;
  guest.cpu().far = 0x8000'0000;
  const std::string report = report_of(guest);
  EXPECT_NE(report.find("page walk of far 0x0000000080000000 (EL1 read, TTBR0, 4 KiB granule)\n"
                        "  level 1 0x0000000040001000 [0x002] = 0x0000000000000000  not valid\n"
                        "  stops: translation fault at level 1, status 0x5\n"),
            std::string::npos)
      << report;
}

TEST(ArmCrashReport, LeavesAGuestWithVectorsOfItsOwnWhereItIs) {
  TinyGuest guest;
  crash_without_handler(guest);
  guest.write64(TinyGuest::kVectors + 0x200, kNop);  // not the boot protocol's any more
  EXPECT_EQ(location(scene_of(guest, crash_symbols())), "0x40010200");
  EXPECT_EQ(report_of(guest).find("which no handler took"), std::string::npos);
}

TEST(ArmCrashReport, RecognisesACircleOfExceptions) {
  TinyGuest guest;
  CpuState& cpu = guest.cpu();
  cpu.vbar = 0;
  cpu.pc = cpu.elr = 0x200;
  cpu.far = 0x200;
  cpu.esr = 0x8600'0004;
  const SymbolTable none;
  EXPECT_TRUE(is_exception_loop(cpu));
  EXPECT_EQ(exception_loop_reason(scene_of(guest, none)),
            "hang: exceptions for ever at 0x200, the first instruction of the vector: instruction "
            "abort in EL1: translation fault at level 0, address 0x200");
  cpu.elr = TinyGuest::kCode;  // the first time round
  EXPECT_FALSE(is_exception_loop(cpu));
  EXPECT_EQ(exception_loop_reason(scene_of(guest, none)), "");
}

TEST(ArmCrashReport, MarksInstructionsThatCannotBeRead) {
  TinyGuest guest;
  guest.cpu().pc = TinyGuest::kSmallPages - 4;
  guest.write_code({kNop});
  EXPECT_NE(report_of(guest).find("instructions from 0x401fffec, pc in brackets\n  00000000 "
                                  "00000000 00000000 00000000 [d503201f] -------- -------- "
                                  "--------\n"),
            std::string::npos)
      << report_of(guest);
}

TEST(ArmCrashReport, WalksNothingWithTheMmuOff) {
  TinyGuest guest;
  guest.cpu().sctlr = 0x30d0'0800;
  GuestView view(guest.cpu(), guest.memory());
  EXPECT_EQ(page_walk_text(view, "pc", GuestVirtAddr(TinyGuest::kCode), AccessKind::kExecute),
            "page walk of pc 0x0000000040100000 (EL1 fetch, MMU off)\n  -> 0x40100000\n");
  EXPECT_EQ(page_walk_text(view, "x", GuestVirtAddr(0x900'0000), AccessKind::kRead),
            "page walk of x 0x0000000009000000 (EL1 read, MMU off)\n"
            "  -> 0x9000000, where no guest memory is\n");
}

TEST(ArmBacktrace, EndsAtWhateverIsNoFrameRecord) {
  TinyGuest guest;
  const std::uint64_t frame = TinyGuest::kRam + 0x7000;
  const auto end_of = [&guest](std::uint64_t frame_pointer) {
    guest.cpu().x[29] = frame_pointer;
    GuestView view(guest.cpu(), guest.memory());
    return backtrace(view).end;
  };
  EXPECT_EQ(end_of(0), "outermost frame");
  EXPECT_EQ(end_of(frame + 4), "frame pointer 0x40007004 is not aligned");
  EXPECT_EQ(end_of(0x10), "frame pointer 0x10 is not mapped");
  guest.write64(frame, frame);
  guest.write64(frame + 8, TinyGuest::kCode);
  EXPECT_EQ(end_of(frame), "frame pointer 0x40007000 does not go up from 0x40007000");
  for (std::uint64_t at = frame; at < frame + 0x800; at += 16) {
    guest.write64(at, at + 16);
    guest.write64(at + 8, TinyGuest::kCode);
  }
  EXPECT_EQ(end_of(frame), "cut after 32 frames");
}

/// Registers that mean nothing.
void scramble(CpuState& cpu, std::mt19937_64& random) {
  // Most addresses inside RAM, so that what is there gets followed.
  const auto address = [&random] {
    return random() % 3 == 0 ? random() : TinyGuest::kRam | (random() & (TinyGuest::kRamSize - 1));
  };
  cpu.pc = address();
  cpu.sp_el0 = address();
  cpu.sp_el1 = address();
  cpu.x[29] = address() & ~7ULL;
  cpu.elr = address();
  cpu.far = address();
  cpu.vbar = address() & ~0x7ffULL;
  cpu.esr = random();
  cpu.spsr = random();
  cpu.pstate = random();
  cpu.sctlr = random();
  cpu.tcr = random() % 4 == 0 ? random() : cpu.tcr;
  cpu.ttbr0 = address();
  cpu.ttbr1 = address();
  cpu.features = features_from(random(), random(), random());
}

TEST(ArmCrashReport, EndsForAnyRegistersAndAnyMemory) {
  TinyGuest guest;
  std::mt19937_64 random(20261125);
  std::vector<std::uint64_t> noise(TinyGuest::kRamSize / 8);
  const SymbolTable symbols;
  for (int round = 0; round < 300; ++round) {
    if (round % 50 == 0) {
      for (std::uint64_t& word : noise) {
        // Every other time, valid descriptors that lead back into RAM.
        word = round % 100 == 0 ? random() : TinyGuest::kRam | (random() & 0x3f'ffff) | 3;
      }
      ASSERT_TRUE(
          guest.memory().write(GuestPhysAddr(TinyGuest::kRam), std::as_bytes(std::span(noise))));
    }
    scramble(guest.cpu(), random);
    EXPECT_LT(report_of(guest).size(), 20'000U);
    EXPECT_LT(unhandled_exception_reason(scene_of(guest, symbols)).size(), 500U);
  }
}

}  // namespace
}  // namespace nestling::aarch64
