// A walk over one symbol table.
#include "boot/elf_symbols.h"

#include <elf.h>
#include <gelf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "boot/elf_file.h"
#include "boot/image_error.h"

namespace nestling {

namespace {

struct SymbolSection {
  Elf_Scn* section = nullptr;
  GElf_Shdr header{};
};

/// .symtab, or .dynsym where there is no .symtab; a null section where there is neither.
SymbolSection find_symbol_section(Elf* elf) {
  SymbolSection found;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr;
       section = elf_nextscn(elf, section)) {
    GElf_Shdr header{};
    if (gelf_getshdr(section, &header) == nullptr) {
      continue;
    }
    if (header.sh_type == SHT_SYMTAB) {
      return {section, header};
    }
    if (header.sh_type == SHT_DYNSYM) {
      found = {section, header};
    }
  }
  return found;
}

std::optional<SymbolKind> kind_of(const GElf_Sym& symbol) {
  if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) {
    return std::nullopt;
  }
  switch (GELF_ST_TYPE(symbol.st_info)) {
    case STT_FUNC:
    case STT_GNU_IFUNC:
      return SymbolKind::kFunction;
    case STT_OBJECT:
      return SymbolKind::kObject;
    case STT_NOTYPE:
      return SymbolKind::kLabel;
    default:
      return std::nullopt;
  }
}

/// The text at `name` if it stands in `file`, where it outlives libelf's handle, and is not
/// absurdly long.
std::string_view name_in(std::span<const std::byte> file, const char* name) {
  const auto address = reinterpret_cast<std::uintptr_t>(name);
  const auto first = reinterpret_cast<std::uintptr_t>(file.data());
  if (name == nullptr || address < first || address - first >= file.size()) {
    return {};
  }
  const std::size_t room = std::min(file.size() - (address - first), kMaxSymbolName + 1);
  const std::size_t length = strnlen(name, room);
  return length < room ? std::string_view(name, length) : std::string_view();
}

/// Where the kernel believes its segments are.
std::vector<GuestVirtRange> places_of(const Image& image) {
  std::vector<GuestVirtRange> places;
  for (const ImageSegment& segment : image.segments) {
    const std::uint64_t room = UINT64_MAX - segment.virtual_start.value();
    const std::uint64_t size = std::min(segment.memory.size() - 1, room) + 1;
    places.push_back(GuestVirtRange::of(segment.virtual_start, size));
  }
  return places;
}

}  // namespace

Result<SymbolTable> read_symbols(const Image& image) {
  if (image.format != ImageFormat::kElf64) {
    return SymbolTable();
  }
  const auto elf = open_elf(image.file);
  if (!elf) {
    return failure(elf.error());
  }
  const SymbolSection table = find_symbol_section(elf->get());
  if (table.section == nullptr) {
    return SymbolTable();
  }
  Elf_Data* const data = elf_getdata(table.section, nullptr);
  if (data == nullptr || table.header.sh_entsize != sizeof(Elf64_Sym)) {
    return bad_image(
        "{}: section {}: sh_offset {:#x}, sh_size {:#x}, sh_entsize {:#x}: unreadable as "
        "a symbol table",
        image.name, elf_ndxscn(table.section), table.header.sh_offset, table.header.sh_size,
        table.header.sh_entsize);
  }
  const std::size_t count = std::min(data->d_size / sizeof(Elf64_Sym), kMaxSymbols);
  std::vector<Symbol> symbols;
  for (std::size_t index = 0; index < count; ++index) {
    GElf_Sym symbol{};
    if (gelf_getsym(data, static_cast<int>(index), &symbol) == nullptr) {
      break;
    }
    const auto kind = kind_of(symbol);
    const char* const name =
        kind ? elf_strptr(elf->get(), table.header.sh_link, symbol.st_name) : nullptr;
    const std::string_view text = name_in(image.file, name);
    if (!text.empty()) {
      symbols.push_back({GuestVirtAddr(symbol.st_value), symbol.st_size, *kind, text});
    }
  }
  return SymbolTable(std::move(symbols), places_of(image));
}

}  // namespace nestling
