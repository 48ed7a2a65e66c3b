// Reading the symbols of an ELF image, which is done only when a message needs them.
#pragma once

#include "base/result.h"
#include "boot/image.h"
#include "boot/symbols.h"

namespace nestling {

/// Names longer than this are left out, and of more symbols than this the first are taken.
inline constexpr std::size_t kMaxSymbolName = 4096;
inline constexpr std::size_t kMaxSymbols = std::size_t{1} << 20;

/// The named functions, objects and labels of the image's .symtab, or of .dynsym where that is all
/// there is. Empty for an image that has no symbols. Single symbols that make no sense are left
/// out. Fails with kBadImage when a symbol table as a whole cannot be read: the image may boot all
/// the same. `image` must outlive the table.
[[nodiscard]] Result<SymbolTable> read_symbols(const Image& image);

}  // namespace nestling
