// ElfFile: libelf's handle on bytes in memory, opened only after checks libelf does not make.
#pragma once

#include <libelf.h>

#include <cstddef>
#include <memory>
#include <span>

#include "base/result.h"

namespace nestling {

struct ElfCloser {
  void operator()(Elf* elf) const { elf_end(elf); }
};
using ElfFile = std::unique_ptr<Elf, ElfCloser>;

/// Opens a 64-bit little-endian ELF file. `bytes` must outlive the handle and is only read.
/// Fails with kBadImage, naming the field of e_ident or the ELF header at fault. That the header
/// and the whole program header table lie within the file is established here; what the table
/// says is not (System V gABI, "ELF Header").
[[nodiscard]] Result<ElfFile> open_elf(std::span<const std::byte> bytes);

}  // namespace nestling
