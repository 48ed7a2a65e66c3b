// The ELF notes that say what a kernel needs, and that a file is a program and no kernel.
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

/// Adds to `image.needs` what the notes of program header `number` ask for, and to `image.doubts`
/// the note that linkers put into programs for Linux; other notes are skipped. The bytes that
/// `header` names lie within the file.
/// Fails with kBadImage on a note that runs past its segment, one of ours that is not 4 bytes
/// long, or a flag unknown to this version. (System V gABI, "Note Section".)
[[nodiscard]] Result<void> read_notes(Elf* elf, const GElf_Phdr& header, std::size_t number,
                                      Image& image);

}  // namespace nestling
