// The whole report, word for word, and one of a guest that left nothing but nonsense.
#include "vmm/x86_64/crash_report.h"

#include <array>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/tiny_guest.h"
#include "vmm/x86_64/page_walk_text.h"

namespace nestling::x86_64 {
namespace {

std::string report_of(TinyGuest& guest) {
  const SymbolTable symbols;
  return crash_report({.cpu = guest.cpu(),
                       .memory = guest.memory(),
                       .features = {},
                       .symbols = symbols,
                       .last_exits = {},
                       .last_console_line = {}});
}

TEST(CrashReport, ShowsEverythingOfACrash) {
  TinyGuest guest;
  CpuState& cpu = guest.cpu();
  cpu.rip = TinyGuest::kCode + 0x34;
  guest.write_code({0x0f, 0x0b});
  cpu.rax = 0x1234;
  cpu.rbp = 0x7000;
  guest.write64(0x7000, 0);
  guest.write64(0x7008, TinyGuest::kCode + 0x20);
  cpu.rsp = TinyGuest::kSmallPages + 0x1ff8;
  guest.write64(TinyGuest::kPt + 8, 0x8000'0000'0030'0001);  // read-only
  cpu.cr2 = 0x4000'0000;
  const SymbolTable symbols({{.start = GuestVirtAddr(TinyGuest::kCode),
                              .size = 0x20,
                              .kind = SymbolKind::kFunction,
                              .name = "kernel_main"},
                             {.start = GuestVirtAddr(TinyGuest::kCode + 0x20),
                              .size = 0x20,
                              .kind = SymbolKind::kFunction,
                              .name = "_Z9crash_nowv"}});
  const std::array exits{
      ExitRecord{
          .kind = 0, .direction = Direction::kWrite, .size = 1, .address = 0x3f8, .value = 0x21},
      ExitRecord{.kind = 3}};
  const std::string report = crash_report({.vcpu = 0,
                                           .cpu = cpu,
                                           .memory = guest.memory(),
                                           .features = {},
                                           .symbols = symbols,
                                           .last_exits = exits,
                                           .exit_count = 57,
                                           .last_console_line = "about to crash\x1b[2J"});
  EXPECT_EQ(report, R"(vCPU 0 at 0x100034 in crash_now()+0x14
  rax 0000000000001234  rbx 0000000000000000  rcx 0000000000000000  rdx 0000000000000000
  rsi 0000000000000000  rdi 0000000000000000  rbp 0000000000007000  rsp 0000000000201ff8
  r8  0000000000000000  r9  0000000000000000  r10 0000000000000000  r11 0000000000000000
  r12 0000000000000000  r13 0000000000000000  r14 0000000000000000  r15 0000000000000000
  rip 0000000000100034  rflags 00000046 PF ZF
  cr0  0x80050033 PE MP ET NE WP AM PG
  cr2  0x0000000040000000
  cr3  0x0000000000001000
  cr4  0x00000620 PAE OSFXSR OSXMMEXCPT
  cr8  0x0
  efer 0x0d00 LME LMA NXE
  cs   0x0008 base 0x0000000000000000 limit 0xffffffff code 64-bit, ring 0
  ss   0x0010 base 0x0000000000000000 limit 0xffffffff data writable, ring 0
  ds   0x0010 base 0x0000000000000000 limit 0xffffffff data writable, ring 0
  es   0x0010 base 0x0000000000000000 limit 0xffffffff data writable, ring 0
  fs   0x0010 base 0x0000000000000000 limit 0xffffffff data writable, ring 0
  gs   0x0010 base 0x0000000000000000 limit 0xffffffff data writable, ring 0
  tr   0x0000 base 0x0000000000000000 limit 0x0000ffff system type 0xb, ring 0
  ldtr 0x0000 unusable
  gdtr base 0x0000000000005000 limit 0x0017
  idtr base 0x0000000000000000 limit 0x0000
bytes from 0x100024, rip in brackets
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 [0f] 0b 00 00 00 00 00 00 00 00 00 00 00 00 00 00
page walk of rip 0x0000000000100034 (supervisor fetch, 4-level paging)
  PML4 0x0000000000001000 [0x000] = 0x0000000000002003  P W
  PDPT 0x0000000000002000 [0x000] = 0x0000000000003003  P W
  PD   0x0000000000003000 [0x000] = 0x0000000000000083  P W PS
  -> 0x100034 in a 2 MiB page, rwx
page walk of rsp 0x0000000000201ff8 (supervisor write, 4-level paging)
  PML4 0x0000000000001000 [0x000] = 0x0000000000002003  P W
  PDPT 0x0000000000002000 [0x000] = 0x0000000000003003  P W
  PD   0x0000000000003000 [0x001] = 0x0000000000004003  P W
  PT   0x0000000000004000 [0x001] = 0x8000000000300001  P NX
  stops: denied: #PF, error code 0x3 (supervisor write, denied) at level 1
page walk of cr2 0x0000000040000000 (supervisor read, 4-level paging)
  PML4 0x0000000000001000 [0x000] = 0x0000000000002003  P W
  PDPT 0x0000000000002000 [0x001] = 0x0000000000000000  not present
  stops: its PDPT entry is not present
backtrace by frame pointers
  #0  0x0000000000100034 crash_now()+0x14
  #1  0x0000000000100020 kernel_main+0x20
  end: outermost frame
last 2 of 57 exits, oldest first
  port write 1 byte at 0x3f8: 0x21
  shutdown
last console line: "about to crash\x1b[2J"
)");
}

TEST(CrashReport, MarksBytesThatCannotBeRead) {
  TinyGuest guest;
  guest.cpu().rip = TinyGuest::kSmallPages - 2;
  guest.write_code({0xeb, 0xfe});
  const std::string report = report_of(guest);
  EXPECT_NE(report.find("bytes from 0x1fffee, rip in brackets\n  00 00 00 00 00 00 00 00 00 00 00 "
                        "00 00 00 00 00 [eb] fe -- -- -- -- -- -- -- -- -- -- -- -- -- --\n"),
            std::string::npos)
      << report;
}

TEST(CrashReport, ShowsTheFirstBytesOfTheAddressSpace) {
  TinyGuest guest;
  guest.cpu().rip = 1;
  EXPECT_NE(report_of(guest).find("bytes from 0x0, rip in brackets\n  00 [00] 00"),
            std::string::npos);
}

TEST(CrashReport, SaysWhereAnAddressIsMappedToNoMemory) {
  TinyGuest guest;
  guest.write64(TinyGuest::kPt, 0x7000'0007);
  GuestView view(guest.cpu(), guest.memory(), {});
  const std::string text =
      page_walk_text(view, "cr2", GuestVirtAddr(TinyGuest::kSmallPages + 5), AccessKind::kRead);
  EXPECT_NE(text.find("-> 0x70000005 in a 4 KiB page, rwx, where no guest memory is\n"),
            std::string::npos)
      << text;
}

TEST(CrashReport, NamesReservedBitsAndMissingTables) {
  TinyGuest guest;
  GuestView view(guest.cpu(), guest.memory(), {.physical_address_bits = 40});
  const auto walk_of_small_page = [&view] {
    return page_walk_text(view, "x", GuestVirtAddr(TinyGuest::kSmallPages), AccessKind::kRead);
  };
  guest.write64(TinyGuest::kPt, 0x0000'0300'0000'0001);
  EXPECT_NE(walk_of_small_page().find("stops: its PT entry has reserved bits 0x30000000000 set\n"),
            std::string::npos)
      << walk_of_small_page();
  guest.write64(TinyGuest::kPd + 8, 0x7000'0003);
  EXPECT_NE(walk_of_small_page().find("stops: its PT is at 0x70000000, where no guest memory is\n"),
            std::string::npos)
      << walk_of_small_page();
}

TEST(CrashReport, WalksEntriesOfFourBytesIn32BitPaging) {
  TinyGuest guest;
  guest.cpu().efer = 0;
  guest.cpu().cr4 = 0x10;
  guest.cpu().cs.long_mode = false;
  guest.cpu().cs.default_big = true;
  guest.write64(TinyGuest::kPml4, 0x0000'0083);
  GuestView view(guest.cpu(), guest.memory(), {});
  EXPECT_EQ(page_walk_text(view, "rip", GuestVirtAddr(0x10'0000), AccessKind::kExecute),
            "page walk of rip 0x0000000000100000 (supervisor fetch, 32-bit paging)\n"
            "  PD   0x0000000000001000 [0x000] = 0x00000083  P W PS\n"
            "  -> 0x100000 in a 4 MiB page, rwx\n");
}

TEST(CrashReport, TellsOfACpuAfterReset) {
  TinyGuest guest;
  guest.cpu() = CpuState{};
  guest.cpu().rip = 0xfff0;
  guest.cpu().cs.base = 0xffff'0000;
  guest.cpu().cs.selector = 0xf000;
  const std::string report = report_of(guest);
  EXPECT_NE(report.find("vCPU 0 at 0xfffffff0\n"), std::string::npos);
  EXPECT_NE(report.find("page walk of rip 0x00000000fffffff0 (supervisor fetch, paging off)\n"
                        "  -> 0xfffffff0, where no guest memory is\n"),
            std::string::npos)
      << report;
}

/// Registers that mean nothing.
void scramble(CpuState& cpu, std::mt19937_64& random) {
  // Most addresses inside RAM, so that what is there gets followed.
  const auto address = [&random] {
    return random() % 3 == 0 ? random() : random() & (TinyGuest::kRamSize - 1);
  };
  cpu.rip = address();
  cpu.rsp = address();
  cpu.rbp = address() & ~7ULL;
  cpu.cr2 = address();
  cpu.cr3 = address();
  cpu.cr0 = random();
  cpu.cr4 = random();
  cpu.efer = random();
  cpu.rflags = random();
  cpu.idtr = {.base = address(), .limit = static_cast<std::uint16_t>(random())};
  cpu.gdtr = {.base = address(), .limit = static_cast<std::uint16_t>(random())};
  cpu.tr.base = address();
  cpu.tr.limit = static_cast<std::uint32_t>(random());
  cpu.cs.base = address();
  cpu.cs.long_mode = (random() & 1) != 0;
  cpu.cs.default_big = (random() & 1) != 0;
  cpu.ss.privilege_level = static_cast<std::uint8_t>(random() & 3);
  cpu.ss.base = address();
}

TEST(CrashReport, EndsForAnyRegistersAndAnyMemory) {
  TinyGuest guest;
  std::mt19937_64 random(20261123);
  std::vector<std::uint64_t> noise(TinyGuest::kRamSize / 8);
  const SymbolTable symbols;
  for (int round = 0; round < 300; ++round) {
    if (round % 50 == 0) {
      for (std::uint64_t& word : noise) {
        // Every other time, present entries that lead back into RAM.
        word = round % 100 == 0 ? random() : (random() & 0x803f'f1ff) | 1;
      }
      ASSERT_TRUE(guest.memory().write(GuestPhysAddr(0), std::as_bytes(std::span(noise))));
    }
    scramble(guest.cpu(), random);
    EXPECT_LT(report_of(guest).size(), 20'000U);
    const std::string reason = triple_fault_reason({.cpu = guest.cpu(),
                                                    .memory = guest.memory(),
                                                    .features = {},
                                                    .symbols = symbols,
                                                    .last_exits = {},
                                                    .last_console_line = {}});
    EXPECT_LT(reason.size(), 1'000U);
  }
}

}  // namespace
}  // namespace nestling::x86_64
