// Arm's Power State Coordination Interface, which KVM answers: CPUs on and off, the machine off and
// reset (Arm DEN 0022, "PSCI functions").
#pragma once

#include <cstdint>

namespace nestling::guest::aarch64::psci {

enum class Function : std::uint32_t {
  kVersion = 0x8400'0000,
  kCpuOff = 0x8400'0002,
  kSystemOff = 0x8400'0008,
  kSystemReset = 0x8400'0009,
  kCpuSuspend = 0xc400'0001,
  kCpuOn = 0xc400'0003,
  kAffinityInfo = 0xc400'0004,
};

struct Arguments {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::uint64_t third = 0;
};

/// What the function returns: 0 or a number of its own for success, a negative one for failure.
inline std::int64_t call(Function function, const Arguments& arguments = {}) {
  register std::uint64_t x0 asm("x0") = static_cast<std::uint32_t>(function);
  register std::uint64_t x1 asm("x1") = arguments.first;
  register std::uint64_t x2 asm("x2") = arguments.second;
  register std::uint64_t x3 asm("x3") = arguments.third;
  asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : : "memory");
  return static_cast<std::int64_t>(x0);
}

}  // namespace nestling::guest::aarch64::psci
