// Control registers, MSRs and the instructions around them.
#pragma once

#include <cstdint>

namespace nestling::guest::x86_64 {

/// What LGDT and LIDT take.
struct [[gnu::packed]] TablePointer {
  std::uint16_t limit = 0;
  std::uint64_t base = 0;
};
static_assert(sizeof(TablePointer) == 10);

inline void load_idt(const TablePointer& table) { asm volatile("lidt %0" : : "m"(table)); }

inline constexpr std::uint64_t kCr0MonitorCoprocessor = 1U << 1;
inline constexpr std::uint64_t kCr0Emulation = 1U << 2;
inline constexpr std::uint64_t kCr0TaskSwitched = 1U << 3;
inline constexpr std::uint64_t kCr0NumericError = 1U << 5;
inline constexpr std::uint64_t kCr0WriteProtect = 1U << 16;
inline constexpr std::uint64_t kCr0AlignmentMask = 1U << 18;
inline constexpr std::uint64_t kCr4OsFxsr = 1U << 9;
inline constexpr std::uint64_t kCr4OsXmmExcept = 1U << 10;

[[nodiscard]] inline std::uint64_t read_cr0() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr0, %0" : "=r"(value));
  return value;
}
inline void write_cr0(std::uint64_t value) {
  asm volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}
/// The address that the last page fault was about.
[[nodiscard]] inline std::uint64_t read_cr2() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
[[nodiscard]] inline std::uint64_t read_cr3() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}
inline void write_cr3(std::uint64_t value) {
  asm volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}
/// Makes the CPU forget every translation that is not global.
inline void reload_cr3() {
  asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
}
[[nodiscard]] inline std::uint64_t read_cr4() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}
inline void write_cr4(std::uint64_t value) {
  asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

/// A model-specific register's number.
enum class Msr : std::uint32_t {
  kApicBase = 0x1b,
  kEfer = 0xc000'0080,
  kGsBase = 0xc000'0101,
};

[[nodiscard]] inline std::uint64_t read_msr(Msr msr) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(static_cast<std::uint32_t>(msr)));
  return (std::uint64_t{high} << 32) | low;
}
inline void write_msr(Msr msr, std::uint64_t value) {
  asm volatile("wrmsr"
               :
               : "c"(static_cast<std::uint32_t>(msr)), "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32))
               : "memory");
}

}  // namespace nestling::guest::x86_64
