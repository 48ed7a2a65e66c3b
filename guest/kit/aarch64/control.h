// System registers by name, and the instructions around them.
#pragma once

#include <cstdint>

namespace nestling::guest::aarch64 {

/// A system register as MRS and MSR encode it (Arm ARM, "AArch64 System register encodings").
struct SystemRegister {
  unsigned op0, op1, crn, crm, op2;
};

inline constexpr SystemRegister kMpidr{3, 0, 0, 0, 5};
inline constexpr SystemRegister kMemoryFeatures0{3, 0, 0, 7, 0};  // ID_AA64MMFR0_EL1
inline constexpr SystemRegister kSctlr{3, 0, 1, 0, 0};
inline constexpr SystemRegister kTtbr0{3, 0, 2, 0, 0};
inline constexpr SystemRegister kVbar{3, 0, 12, 0, 0};
inline constexpr SystemRegister kEsr{3, 0, 5, 2, 0};
inline constexpr SystemRegister kFar{3, 0, 6, 0, 0};
inline constexpr SystemRegister kTpidr{3, 0, 13, 0, 4};  // TPIDR_EL1
inline constexpr SystemRegister kMdscr{2, 0, 0, 2, 2};
inline constexpr SystemRegister kCounterFrequency{3, 3, 14, 0, 0};  // CNTFRQ_EL0

template <SystemRegister Register>
[[nodiscard]] inline std::uint64_t read_register() {
  std::uint64_t value = 0;
  asm volatile("mrs %0, S%c1_%c2_C%c3_C%c4_%c5"
               : "=r"(value)
               : "i"(Register.op0), "i"(Register.op1), "i"(Register.crn), "i"(Register.crm),
                 "i"(Register.op2)
               : "memory");
  return value;
}

/// What follows sees the effect.
template <SystemRegister Register>
inline void write_register(std::uint64_t value) {
  asm volatile("msr S%c1_%c2_C%c3_C%c4_%c5, %0\n\tisb"
               :
               : "r"(value), "i"(Register.op0), "i"(Register.op1), "i"(Register.crn),
                 "i"(Register.crm), "i"(Register.op2)
               : "memory");
}

inline constexpr std::uint64_t kSctlrAlignmentCheck = 1U << 1;
inline constexpr std::uint64_t kMdscrSingleStep = 1U << 0;

}  // namespace nestling::guest::aarch64
