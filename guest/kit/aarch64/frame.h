// Frame: everything an exception or interrupt saves, as vectors.S lays it out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nestling::guest::aarch64 {

/// The interrupted program's registers. A handler may change them: they are what it returns to,
/// but for `sp`, which counts on a return to EL0 only.
struct Frame {
  std::uint64_t x[31];
  std::uint64_t sp, pc, pstate;
  std::uint64_t esr, far;
  std::uint64_t vector;
  std::uint64_t link[2];  // a frame record that makes the interrupted function a caller
  std::uint64_t padding;
};
static_assert(offsetof(Frame, sp) == 248);
static_assert(offsetof(Frame, vector) == 288);
static_assert(sizeof(Frame) == 320);

/// What made an exception synchronous: ESR_EL1.EC (Arm ARM, "ESR_EL1").
enum class ExceptionClass : std::uint8_t {
  kUnknown = 0x00,
  kTrappedWait = 0x01,
  kFloatingPointTrap = 0x07,
  kIllegalState = 0x0e,
  kSystemCall = 0x15,
  kTrappedSystemRegister = 0x18,
  kInstructionAbortFromEl0 = 0x20,
  kInstructionAbort = 0x21,
  kPcAlignment = 0x22,
  kDataAbortFromEl0 = 0x24,
  kDataAbort = 0x25,
  kSpAlignment = 0x26,
  kFloatingPoint = 0x2c,
  kBreakpointFromEl0 = 0x30,
  kSingleStepFromEl0 = 0x32,
  kSingleStep = 0x33,
  kBrk = 0x3c,
};

[[nodiscard]] inline ExceptionClass exception_class(const Frame& frame) {
  return static_cast<ExceptionClass>(frame.esr >> 26 & 0x3f);
}
/// ESR_EL1.ISS: what the class has to say.
[[nodiscard]] inline std::uint64_t syndrome(const Frame& frame) { return frame.esr & 0x1ff'ffff; }
/// The exception level that was interrupted: 0 or 1.
[[nodiscard]] inline std::uint64_t exception_level(const Frame& frame) {
  return frame.pstate >> 2 & 3;
}

}  // namespace nestling::guest::aarch64
