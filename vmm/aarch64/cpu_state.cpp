// Reading the identification registers.
#include "vmm/aarch64/cpu_state.h"

namespace nestling::aarch64 {

TranslationFeatures features_from(std::uint64_t mmfr0, std::uint64_t mmfr1, std::uint64_t mmfr2) {
  using stage1::field;
  constexpr std::uint64_t kGranule4K52 = 1;   // MMFR0.TGran4, bits 31:28
  constexpr std::uint64_t kGranule16K52 = 2;  // MMFR0.TGran16, bits 23:20
  return {
      .physical_address_bits = stage1::output_bits(field(mmfr0, 0, 4)),
      .lva = field(mmfr2, 16, 4) != 0,
      .lpa2 = field(mmfr0, 28, 4) == kGranule4K52 || field(mmfr0, 20, 4) == kGranule16K52,
      .small_tables = field(mmfr2, 28, 4) != 0,
      .hardware_flags = field(mmfr1, 0, 4) != 0,
  };
}

TranslationState translation_state(const CpuState& cpu) {
  return {.sctlr = cpu.sctlr,
          .tcr = cpu.tcr,
          .ttbr0 = cpu.ttbr0,
          .ttbr1 = cpu.ttbr1,
          .pan = (cpu.pstate & kPstatePan) != 0,
          .features = cpu.features};
}

}  // namespace nestling::aarch64
