// The names that KVM gives to an arm64 vCPU's system registers, as numbers.
#pragma once

#include <cstdint>

namespace nestling::aarch64 {

/// A register for KVM_GET_ONE_REG and KVM_SET_ONE_REG.
enum class RegisterId : std::uint64_t {};

/// How an instruction names a system register (Arm ARM, "System instruction class encoding").
struct SystemRegister {
  std::uint8_t op0 = 3;
  std::uint8_t op1 = 0;
  std::uint8_t crn = 0;
  std::uint8_t crm = 0;
  std::uint8_t op2 = 0;
};

/// KVM's number for it: the architecture, 64 bits, a system register, and its name.
[[nodiscard]] constexpr RegisterId register_id(const SystemRegister& name) {
  return RegisterId{0x6030'0000'0013'0000ULL | std::uint64_t{name.op0} << 14 |
                    std::uint64_t{name.op1} << 11 | std::uint64_t{name.crn} << 7 |
                    std::uint64_t{name.crm} << 3 | name.op2};
}

/// KVM's number for 64 bits of what signal frames have, too, `offset` bytes from its start.
[[nodiscard]] constexpr RegisterId core_register(std::uint64_t offset) {
  return RegisterId{0x6030'0000'0010'0000ULL | offset / sizeof(std::uint32_t)};
}
/// X0 to X30.
[[nodiscard]] constexpr RegisterId general_register(std::uint64_t number) {
  return core_register(number * sizeof(std::uint64_t));
}

/// KVM's number for the 128 bits of V0 to V31.
[[nodiscard]] constexpr RegisterId vector_register(std::uint64_t number) {
  constexpr std::uint64_t kFirst = 336;  // bytes from the start of kvm_regs
  constexpr std::uint64_t kSize = 16;
  return RegisterId{0x6040'0000'0010'0000ULL | (kFirst + number * kSize) / sizeof(std::uint32_t)};
}

inline constexpr RegisterId kPc = core_register(256);
inline constexpr RegisterId kPstate = core_register(264);
inline constexpr RegisterId kMpidr = register_id({.crm = 0, .op2 = 5});
inline constexpr RegisterId kMemoryFeatures0 = register_id({.crm = 7, .op2 = 0});  // ID_AA64MMFR0
inline constexpr RegisterId kMemoryFeatures1 = register_id({.crm = 7, .op2 = 1});  // ID_AA64MMFR1
inline constexpr RegisterId kMemoryFeatures2 = register_id({.crm = 7, .op2 = 2});  // ID_AA64MMFR2
inline constexpr RegisterId kSctlr = register_id({.crn = 1, .crm = 0, .op2 = 0});
inline constexpr RegisterId kCpacr = register_id({.crn = 1, .crm = 0, .op2 = 2});
inline constexpr RegisterId kTtbr0 = register_id({.crn = 2, .crm = 0, .op2 = 0});
inline constexpr RegisterId kTtbr1 = register_id({.crn = 2, .crm = 0, .op2 = 1});
inline constexpr RegisterId kTcr = register_id({.crn = 2, .crm = 0, .op2 = 2});
inline constexpr RegisterId kEsr = register_id({.crn = 5, .crm = 2, .op2 = 0});
inline constexpr RegisterId kFar = register_id({.crn = 6, .crm = 0, .op2 = 0});
inline constexpr RegisterId kPar = register_id({.crn = 7, .crm = 4, .op2 = 0});
inline constexpr RegisterId kMair = register_id({.crn = 10, .crm = 2, .op2 = 0});
inline constexpr RegisterId kVbar = register_id({.crn = 12, .crm = 0, .op2 = 0});
inline constexpr RegisterId kTpidrEl1 = register_id({.crn = 13, .crm = 0, .op2 = 4});
inline constexpr RegisterId kVirtualTimerControl =
    register_id({.op1 = 3, .crn = 14, .crm = 3, .op2 = 1});
inline constexpr RegisterId kPhysicalTimerControl =
    register_id({.op1 = 3, .crn = 14, .crm = 2, .op2 = 1});

}  // namespace nestling::aarch64
