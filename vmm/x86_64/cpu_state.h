// CpuState: the registers of one x86_64 processor as plain data, for reports, debuggers and tests.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "boot/x86_64/descriptors.h"

namespace nestling::x86_64 {

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
