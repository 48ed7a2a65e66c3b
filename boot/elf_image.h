// The reader of ELF64 kernels.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "boot/image.h"

namespace nestling {

/// Reads the headers and notes of an ELF64 executable; symbols are left for boot/elf_symbols.h.
/// `bytes` is lent and must outlive the image; nothing is copied.
///
/// A segment is loaded at p_paddr. e_entry is looked for in the executable segments by virtual
/// address, then (kernels linked high that name their physical entry) by physical address.
///
/// Fails with kBadImage, naming the field and its value: not ELF, not 64-bit little-endian, not
/// x86_64 or aarch64, not ET_EXEC (a position-independent one would need relocating), a table or
/// segment past the end of the file, p_filesz > p_memsz, sizes that wrap, an entry outside the
/// file bytes of every executable segment, a malformed note, or needs unknown to this version.
/// (System V gABI, "Program Header".)
[[nodiscard]] Result<Image> parse_elf_image(std::span<const std::byte> bytes);

}  // namespace nestling
