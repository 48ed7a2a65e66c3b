// TinyGuest of arm64: RAM, tables that map it one to one, and the registers of a kernel at EL1, for
// tests that look at a stopped guest.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

#include "base/check.h"
#include "tests/support/ram.h"
#include "vmm/aarch64/cpu_state.h"

namespace nestling::aarch64 {

/// 4 MiB of RAM from 1 GiB; the first 2 MiB are mapped one to one by a block, the next by 4 KiB
/// pages of which none is valid yet. Offsets into RAM:
///
///     0x1000 level 1   0x2000 level 2   0x3000 level 3 of the second 2 MiB
///     0x8000 top of the stack   0x10000 vectors   0x100000 code
class TinyGuest {
 public:
  static constexpr std::uint64_t kRam = 0x4000'0000;
  static constexpr std::uint64_t kRamSize = 4ULL << 20;
  static constexpr std::uint64_t kLevel1 = kRam + 0x1000;
  static constexpr std::uint64_t kLevel2 = kRam + 0x2000;
  static constexpr std::uint64_t kLevel3 = kRam + 0x3000;
  static constexpr std::uint64_t kStackTop = kRam + 0x8000;
  static constexpr std::uint64_t kVectors = kRam + 0x1'0000;
  static constexpr std::uint64_t kCode = kRam + 0x10'0000;
  /// The first address that the level 3 table maps.
  static constexpr std::uint64_t kSmallPages = kRam + 0x20'0000;
  /// Valid, a page or a table; and AF with inner shareability.
  static constexpr std::uint64_t kTable = 3;
  static constexpr std::uint64_t kBlock = 1;
  static constexpr std::uint64_t kPage = 3;
  static constexpr std::uint64_t kUsed = 0x700;

  TinyGuest() : memory_(make_ram()) {
    write64(kLevel1 + 8, kLevel2 | kTable);  // the second GiB
    write64(kLevel2, kRam | kUsed | kBlock);
    write64(kLevel2 + 8, kLevel3 | kTable);
    cpu_.sctlr = 0x30d0'0800 | kSctlrMmu;
    cpu_.tcr = 25 | 1U << 23 | 2ULL << 32;  // 39 bits in 4 KiB pages, no upper half, 40 bits out
    cpu_.ttbr0 = kLevel1;
    cpu_.mair = 0xff;
    cpu_.vbar = kVectors;
    cpu_.pstate = 0x3c5;
    cpu_.pc = kCode;
    cpu_.sp_el1 = kStackTop;
    cpu_.mpidr = 0x8000'0000;
  }

  [[nodiscard]] Ram& memory() { return memory_; }
  [[nodiscard]] CpuState& cpu() { return cpu_; }

  void write64(std::uint64_t gpa, std::uint64_t value) {
    check(memory_.write_object(GuestPhysAddr(gpa), value).has_value(), "write to a tiny guest");
  }
  void write_code(std::initializer_list<std::uint32_t> words) {
    const std::span<const std::uint32_t> span(words.begin(), words.size());
    check(memory_.write(GuestPhysAddr(cpu_.pc), std::as_bytes(span)).has_value(), "code");
  }

 private:
  static Ram make_ram() {
    const std::array ranges{GuestPhysRange::of(GuestPhysAddr(kRam), kRamSize)};
    Result<Ram> ram = Ram::create(ranges);
    check(ram.has_value(), "RAM of a tiny guest");
    return std::move(*ram);
  }

  Ram memory_;
  CpuState cpu_;
};

}  // namespace nestling::aarch64
