// TinyGuest: RAM, identity page tables and the registers of a 64-bit kernel, for tests that look at
// a stopped guest.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

#include "base/check.h"
#include "tests/support/ram.h"
#include "vmm/x86_64/cpu_state.h"

namespace nestling::x86_64 {

/// 4 MiB of RAM from 0; the first 2 MiB are mapped one to one by a 2 MiB page, the next by 4 KiB
/// pages of which none is present yet.
///
///     0x1000 PML4   0x2000 PDPT   0x3000 PD   0x4000 PT of 0x200000   0x5000 GDT   0x6000 IDT
///     0x8000 top of the stack     0x100000 code
class TinyGuest {
 public:
  static constexpr std::uint64_t kRamSize = 4ULL << 20;
  static constexpr std::uint64_t kPml4 = 0x1000;
  static constexpr std::uint64_t kPdpt = 0x2000;
  static constexpr std::uint64_t kPd = 0x3000;
  static constexpr std::uint64_t kPt = 0x4000;
  static constexpr std::uint64_t kGdt = 0x5000;
  static constexpr std::uint64_t kIdt = 0x6000;
  static constexpr std::uint64_t kStackTop = 0x8000;
  static constexpr std::uint64_t kCode = 0x10'0000;
  /// The first address that the PT maps.
  static constexpr std::uint64_t kSmallPages = 0x20'0000;

  TinyGuest() : memory_(make_ram()) {
    write64(kPml4, kPdpt | kPresentWritable);
    write64(kPdpt, kPd | kPresentWritable);
    write64(kPd, kLargePage | kPresentWritable);
    write64(kPd + 8, kPt | kPresentWritable);
    write64(kGdt + 8, 0x00af'9b00'0000'ffff);   // 0x08: 64-bit code, ring 0
    write64(kGdt + 16, 0x00cf'9300'0000'ffff);  // 0x10: data
    cpu_.cs = {.selector = 8,
               .limit = 0xffff'ffff,
               .type = 0xb,
               .present = true,
               .code_or_data = true,
               .long_mode = true,
               .granularity = true};
    cpu_.ss = {.selector = 0x10,
               .limit = 0xffff'ffff,
               .type = 3,
               .present = true,
               .code_or_data = true,
               .default_big = true,
               .granularity = true};
    cpu_.ds = cpu_.es = cpu_.fs = cpu_.gs = cpu_.ss;
    cpu_.tr = {.limit = 0xffff, .type = 0xb, .present = true};
    cpu_.ldtr = {.unusable = true};
    cpu_.gdtr = {.base = kGdt, .limit = 23};
    cpu_.cr0 = 0x8005'0033;
    cpu_.cr3 = kPml4;
    cpu_.cr4 = 0x620;
    cpu_.efer = 0xd00;
    cpu_.rflags = 0x46;
    cpu_.rip = kCode;
    cpu_.rsp = kStackTop;
  }

  [[nodiscard]] Ram& memory() { return memory_; }
  [[nodiscard]] CpuState& cpu() { return cpu_; }

  void write64(std::uint64_t gpa, std::uint64_t value) {
    check(memory_.write_object(GuestPhysAddr(gpa), value).has_value(), "write to a tiny guest");
  }
  void write_code(std::initializer_list<std::uint8_t> bytes) {
    const std::span<const std::uint8_t> span(bytes.begin(), bytes.size());
    check(memory_.write(GuestPhysAddr(cpu_.rip), std::as_bytes(span)).has_value(), "code");
  }
  /// A 64-bit interrupt gate, and IDTR grown to hold it.
  void set_gate(std::uint8_t vector, std::uint64_t handler, std::uint8_t stack_table_index = 0) {
    const std::uint64_t low = (handler & 0xffff) | (8ULL << 16) |
                              (std::uint64_t{stack_table_index} << 32) | (0x8eULL << 40) |
                              ((handler & 0xffff'0000) << 32);
    write64(kIdt + 16ULL * vector, low);
    write64(kIdt + 16ULL * vector + 8, handler >> 32);
    cpu_.idtr = {.base = kIdt, .limit = 0xfff};
  }

 private:
  static constexpr std::uint64_t kPresentWritable = 3;
  static constexpr std::uint64_t kLargePage = 0x80;

  static Ram make_ram() {
    const std::array ranges{GuestPhysRange::of(GuestPhysAddr(0), kRamSize)};
    Result<Ram> ram = Ram::create(ranges);
    check(ram.has_value(), "RAM of a tiny guest");
    return std::move(*ram);
  }

  Ram memory_;
  CpuState cpu_;
};

}  // namespace nestling::x86_64
