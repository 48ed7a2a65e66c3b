// Two instructions for each vector.
#include "boot/aarch64/boot_vectors.h"

#include "base/check.h"

namespace nestling::aarch64 {

namespace {

/// LDR Wt, label: a signed number of words in bits 23:5 (Arm ARM, "LDR (literal)").
constexpr std::uint32_t kLoadLiteralToZeroRegister = 0x1800'001f;
constexpr std::uint32_t kLoadOffsetShift = 5;
constexpr std::uint32_t kLoadOffsetMask = (1U << 19) - 1;
constexpr std::int64_t kLoadReach = std::int64_t{1} << 20;  // bytes, backwards
constexpr std::uint32_t kBranchToSelf = 0x1400'0000;

}  // namespace

std::optional<BootVectors> make_boot_vectors(GuestPhysAddr base) {
  check(base.is_aligned(kVectorsSize), "vectors are aligned to their size");
  BootVectors code{};
  for (std::uint64_t vector = 0; vector < kVectorCount; ++vector) {
    const auto from = static_cast<std::int64_t>((base + vector * kVectorSize).value());
    const auto to = static_cast<std::int64_t>(
        (kFaultRegisters.start() + vector * sizeof(std::uint32_t)).value());
    const std::int64_t distance = to - from;
    if (distance < -kLoadReach || distance >= kLoadReach) {
      return std::nullopt;
    }
    const auto words = static_cast<std::uint32_t>(distance / 4) & kLoadOffsetMask;
    const std::uint64_t first = vector * kVectorSize / sizeof(std::uint32_t);
    code.at(first) = kLoadLiteralToZeroRegister | words << kLoadOffsetShift;
    code.at(first + 1) = kBranchToSelf;
  }
  return code;
}

std::string_view vector_name(std::size_t vector) {
  static constexpr std::array<std::string_view, kVectorCount> kNames = {
      "synchronous exception on SP_EL0",  "IRQ on SP_EL0",  "FIQ on SP_EL0",  "SError on SP_EL0",
      "synchronous exception in EL1",     "IRQ in EL1",     "FIQ in EL1",     "SError in EL1",
      "synchronous exception in EL0",     "IRQ in EL0",     "FIQ in EL0",     "SError in EL0",
      "synchronous exception in AArch32", "IRQ in AArch32", "FIQ in AArch32", "SError in AArch32"};
  return kNames.at(vector);
}

}  // namespace nestling::aarch64
