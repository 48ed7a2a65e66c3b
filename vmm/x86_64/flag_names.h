// The words for the bits of x86 control registers, RFLAGS and page-table entries.
#pragma once

#include <cstdint>
#include <string>

namespace nestling::x86_64 {

/// Each gives the names of the bits that are set, by the manuals' mnemonics, lowest bit first, with
/// a blank between; set bits without a name are appended in hex. Empty for 0.
[[nodiscard]] std::string cr0_flags(std::uint64_t cr0);
[[nodiscard]] std::string cr4_flags(std::uint64_t cr4);
[[nodiscard]] std::string efer_flags(std::uint64_t efer);
/// IOPL is a number: "IF IOPL=3". Bit 1, which is always set, is left out.
[[nodiscard]] std::string rflags_flags(std::uint64_t rflags);
/// The flags of a paging-structure entry; its address and what the guest keeps in ignored bits are
/// left out. `leaf`: the entry maps a page, so D, G and a set PS mean something.
enum class EntryRole : std::uint8_t { kTable, kLargePage, kSmallPage };
[[nodiscard]] std::string entry_flags(std::uint64_t entry, EntryRole role);

}  // namespace nestling::x86_64
