// Frame: everything an interrupt or exception saves, as vectors.S lays it out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nestling::guest::x86_64 {

/// The interrupted program's registers. A handler may change them: they are what it returns to.
struct Frame {
  std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
  std::uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
  std::uint64_t vector;
  std::uint64_t error_code;  // 0 for a vector that has none
  std::uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(offsetof(Frame, vector) == 120);
static_assert(offsetof(Frame, rip) == 136);
static_assert(sizeof(Frame) == 176);

/// Interrupt vectors (Intel SDM volume 3, "Exception and Interrupt Reference").
enum class Vector : std::uint8_t {
  kDivideError = 0,
  kDebug = 1,
  kNmi = 2,
  kBreakpoint = 3,
  kOverflow = 4,
  kBoundRange = 5,
  kInvalidOpcode = 6,
  kDeviceNotAvailable = 7,
  kDoubleFault = 8,
  kInvalidTss = 10,
  kSegmentNotPresent = 11,
  kStackFault = 12,
  kGeneralProtection = 13,
  kPageFault = 14,
  kX87Error = 16,
  kAlignmentCheck = 17,
  kMachineCheck = 18,
  kSimdError = 19,
  kVirtualization = 20,
  kControlProtection = 21,
  kSystemCall = 0x80,
};

}  // namespace nestling::guest::x86_64
