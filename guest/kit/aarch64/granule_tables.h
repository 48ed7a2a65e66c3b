// Page tables with a granule of 4, 16 or 64 KiB, for 42 bits of address.
#pragma once

#include <cstdint>

#include "guest/kit/own_tables.h"

namespace nestling::guest::aarch64 {

/// The smallest page, as a power of two.
enum class Granule : std::uint8_t { k4K = 12, k16K = 14, k64K = 16 };

[[nodiscard]] constexpr std::uint64_t page_size(Granule granule) {
  return 1ULL << static_cast<unsigned>(granule);
}
/// What an entry of the last table but one maps when it is a block: 2, 32 or 512 MiB.
[[nodiscard]] constexpr std::uint64_t block_size(Granule granule) {
  return page_size(granule) * page_size(granule) / sizeof(std::uint64_t);
}

/// True when this CPU has it.
[[nodiscard]] bool has_granule(Granule granule);

/// How a CPU translates.
struct TranslationRegisters {
  std::uint64_t control = 0;  // TCR_EL1
  std::uint64_t table = 0;    // TTBR0_EL1
};
[[nodiscard]] TranslationRegisters translation_registers();
/// This CPU translates so from now on; before and after, this code is mapped where it is.
void switch_translation(const TranslationRegisters& registers);

class GranuleTables {
 public:
  /// `pages` must be aligned to the granule, and each as large; needed for as long as this lives.
  GranuleTables(Granule granule, PageSource& pages)
      : granule_(granule), pages_(pages), root_(pages.take()) {}

  /// Adds a page or block (`size` says which), where there is none yet.
  void map(const Mapping& mapping);
  /// The first 4 GiB where they are, in blocks: RAM's GiBs as memory with every right, the others
  /// as devices.
  void map_identity();

  [[nodiscard]] TranslationRegisters registers() const;

 private:
  Granule granule_;
  PageSource& pages_;
  std::uint64_t root_;
};

}  // namespace nestling::guest::aarch64
