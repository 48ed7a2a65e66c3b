// The words for the bits of arm64 registers and descriptors.
#pragma once

#include <cstdint>
#include <string>

namespace nestling::aarch64 {

/// "EL1h DAIF masked, NZ": the mode, then what is masked, then flags and other bits by name.
[[nodiscard]] std::string describe_pstate(std::uint64_t pstate);

/// The names of the bits that are set, by the manual's mnemonics, lowest bit first, with a blank
/// between; set bits without a name are appended in hex.
[[nodiscard]] std::string sctlr_flags(std::uint64_t sctlr);

/// "TTBR0 39 bits in 4 KiB pages, TTBR1 off, output 40 bits".
[[nodiscard]] std::string describe_tcr(std::uint64_t tcr);

/// The flags of a valid descriptor; its address and what the guest keeps in ignored bits are left
/// out. Only a leaf has rights, shareability and memory attributes of its own.
enum class DescriptorRole : std::uint8_t { kTable, kLeaf };
[[nodiscard]] std::string descriptor_flags(std::uint64_t descriptor, DescriptorRole role);

}  // namespace nestling::aarch64
