// CpuState: the registers of one x86_64 processor as plain data, for reports, debuggers and tests.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace nestling::x86_64 {

/// One segment register with its hidden part, as the processor holds it (Intel SDM volume 3,
/// "Segment Descriptors").
struct Segment {
  std::uint16_t selector = 0;
  std::uint64_t base = 0;
  /// The last byte's offset, granularity already applied.
  std::uint32_t limit = 0;
  /// The 4-bit type field.
  std::uint8_t type = 0;
  /// 0 to 3.
  std::uint8_t privilege_level = 0;
  bool present = false;
  /// The S bit: code or data, not a system segment.
  bool code_or_data = false;
  /// The L bit: 64-bit code.
  bool long_mode = false;
  /// The D/B bit: 32-bit default operands.
  bool default_big = false;
  /// The G bit: the descriptor counted its limit in pages.
  bool granularity = false;
  bool available = false;
  /// A null selector or one that must not be used.
  bool unusable = false;

  friend bool operator==(const Segment&, const Segment&) = default;
};

/// GDTR or IDTR. `limit` is the offset of the table's last byte, as LGDT and LIDT load it.
struct DescriptorTable {
  std::uint64_t base = 0;
  std::uint16_t limit = 0;

  friend bool operator==(const DescriptorTable&, const DescriptorTable&) = default;
};

/// DR0 to DR3, DR6 and DR7.
struct DebugRegisters {
  std::array<std::uint64_t, 4> address{};
  std::uint64_t dr6 = 0;
  std::uint64_t dr7 = 0;

  friend bool operator==(const DebugRegisters&, const DebugRegisters&) = default;
};

/// Everything that decides what the processor does next, but for floating point and MSRs.
/// `rip` counts from the start of CS, as the register does.
struct CpuState {
  std::uint64_t rax = 0;
  std::uint64_t rbx = 0;
  std::uint64_t rcx = 0;
  std::uint64_t rdx = 0;
  std::uint64_t rsi = 0;
  std::uint64_t rdi = 0;
  std::uint64_t rbp = 0;
  std::uint64_t rsp = 0;
  std::uint64_t r8 = 0;
  std::uint64_t r9 = 0;
  std::uint64_t r10 = 0;
  std::uint64_t r11 = 0;
  std::uint64_t r12 = 0;
  std::uint64_t r13 = 0;
  std::uint64_t r14 = 0;
  std::uint64_t r15 = 0;
  std::uint64_t rip = 0;
  std::uint64_t rflags = 0;

  Segment cs;
  Segment ds;
  Segment es;
  Segment fs;
  Segment gs;
  Segment ss;
  Segment tr;
  Segment ldtr;
  DescriptorTable gdtr;
  DescriptorTable idtr;

  std::uint64_t cr0 = 0;
  std::uint64_t cr2 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t cr8 = 0;
  std::uint64_t efer = 0;

  /// Absent where nobody asked the host for them.
  std::optional<DebugRegisters> debug;

  friend bool operator==(const CpuState&, const CpuState&) = default;
};

}  // namespace nestling::x86_64
