// The ELF note by which a kernel states what it needs.
#pragma once

#include <gelf.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "boot/image.h"

namespace nestling {

/// Owner, type and flags of that note; the same as in the guest's copy of the contract.
inline constexpr std::string_view kNeedsNoteOwner = "Nestling";
inline constexpr std::uint32_t kNeedsNoteType = 1;
inline constexpr std::uint32_t kNeedsNoteIrqchip = 1U << 0;

/// Adds to `needs` what the notes of program header `number` ask for; other owners' notes are
/// skipped. The bytes that `header` names lie within the file.
/// Fails with kBadImage on a note that runs past its segment, one of ours that is not 4 bytes
/// long, or a flag unknown to this version. (System V gABI, "Note Section".)
[[nodiscard]] Result<void> read_notes(Elf* elf, const GElf_Phdr& header, std::size_t number,
                                      ImageNeeds& needs);

}  // namespace nestling
