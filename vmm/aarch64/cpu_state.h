// CpuState: the registers of one arm64 processor at EL1 and EL0 as plain data, for reports,
// debuggers and tests.
#pragma once

#include <array>
#include <cstdint>

#include "addrspace/aarch64/stage1_format.h"

namespace nestling::aarch64 {

/// Fields of PSTATE as SPSR_EL1 lays it out; Arm ARM, "SPSR_EL1".
inline constexpr std::uint64_t kPstateModeMask = 0x1f;
inline constexpr std::uint64_t kPstateEl0 = 0b0'0000;
inline constexpr std::uint64_t kPstateEl1OnSpEl0 = 0b0'0100;
inline constexpr std::uint64_t kPstateEl1OnSpEl1 = 0b0'0101;
inline constexpr std::uint64_t kPstateAarch32 = 1ULL << 4;
inline constexpr std::uint64_t kPstateBranchType = 3ULL << 10;
inline constexpr std::uint64_t kPstateStep = 1ULL << 21;
inline constexpr std::uint64_t kPstatePan = 1ULL << 22;

struct CpuState {
  std::array<std::uint64_t, 31> x{};
  std::uint64_t sp_el0 = 0;
  std::uint64_t sp_el1 = 0;
  std::uint64_t pc = 0;
  std::uint64_t pstate = 0;

  /// What the last exception that EL1 took left behind.
  std::uint64_t elr = 0;
  std::uint64_t spsr = 0;
  std::uint64_t esr = 0;
  std::uint64_t far = 0;
  std::uint64_t vbar = 0;

  std::uint64_t sctlr = 0;
  std::uint64_t tcr = 0;
  std::uint64_t mair = 0;
  std::uint64_t ttbr0 = 0;
  std::uint64_t ttbr1 = 0;
  std::uint64_t cpacr = 0;
  std::uint64_t mpidr = 0;
  /// What the processor can do about tables.
  TranslationFeatures features;

  /// The stack pointer that instructions use.
  [[nodiscard]] std::uint64_t sp() const {
    return (pstate & kPstateModeMask) == kPstateEl1OnSpEl1 ? sp_el1 : sp_el0;
  }
  [[nodiscard]] bool is_user() const {
    return (pstate & kPstateAarch32) != 0 || (pstate & kPstateModeMask) == kPstateEl0;
  }
  /// Of data, at the exception level that it is at; Arm ARM, "SCTLR_EL1", EE and E0E.
  [[nodiscard]] bool is_big_endian() const {
    return (sctlr & (is_user() ? 1ULL << 24 : 1ULL << 25)) != 0;
  }
};

/// What ID_AA64MMFR0_EL1, 1 and 2 say of tables; Arm ARM, under each of these names.
[[nodiscard]] TranslationFeatures features_from(std::uint64_t mmfr0, std::uint64_t mmfr1,
                                                std::uint64_t mmfr2);

/// The registers that decide how addresses translate.
[[nodiscard]] TranslationState translation_state(const CpuState& cpu);

}  // namespace nestling::aarch64
