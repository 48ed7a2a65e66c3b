// The checks that come before libelf, and the call that opens.
#include "boot/elf_file.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "boot/image_error.h"

namespace nestling {

namespace {

// Real kernels have a handful; the bound keeps a hostile file from costing more than its size.
constexpr std::uint16_t kMaxProgramHeaders = 256;

/// "(7f 45 4c 46)", as much of the magic as the file has.
std::string first_bytes(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), SELFMAG))) {
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", std::to_integer<unsigned>(byte));
  }
  return text;
}

Result<void> check_identification(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return bad_image("the file is empty");
  }
  if (bytes.size() < SELFMAG || std::memcmp(bytes.data(), ELFMAG, SELFMAG) != 0) {
    return bad_image(
        "e_ident: starts with {}, not with the ELF magic 7f 45 4c 46 (a raw binary needs --flat "
        "ADDRESS)",
        first_bytes(bytes));
  }
  if (bytes.size() < EI_NIDENT) {
    return bad_image("e_ident: the file ends after {:#x} bytes, an ELF header has {:#x}",
                     bytes.size(), sizeof(Elf64_Ehdr));
  }
  const auto ident = [&](std::size_t index) { return std::to_integer<unsigned>(bytes[index]); };
  if (ident(EI_CLASS) == ELFCLASS32) {
    return bad_image("EI_CLASS 1: a 32-bit image; only 64-bit ones boot");
  }
  if (ident(EI_CLASS) != ELFCLASS64) {
    return bad_image("EI_CLASS {}: neither 32-bit (1) nor 64-bit (2)", ident(EI_CLASS));
  }
  if (ident(EI_DATA) == ELFDATA2MSB) {
    return bad_image("EI_DATA 2: a big-endian image; only little-endian ones boot");
  }
  if (ident(EI_DATA) != ELFDATA2LSB) {
    return bad_image("EI_DATA {}: neither little-endian (1) nor big-endian (2)", ident(EI_DATA));
  }
  if (ident(EI_VERSION) != EV_CURRENT) {
    return bad_image("EI_VERSION {}: only version 1 exists", ident(EI_VERSION));
  }
  return {};
}

Result<void> check_program_header_table(const Elf64_Ehdr& header, std::uint64_t file_size) {
  if (header.e_phnum == 0) {
    return bad_image("e_phnum 0: no program headers, so nothing to load");
  }
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return bad_image("e_phentsize {:#x}: a 64-bit program header has {:#x} bytes",
                     header.e_phentsize, sizeof(Elf64_Phdr));
  }
  if (header.e_phnum > kMaxProgramHeaders) {
    return bad_image("e_phnum {}: more than {} program headers", header.e_phnum,
                     kMaxProgramHeaders);
  }
  const std::uint64_t table_size = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phoff > file_size || table_size > file_size - header.e_phoff) {
    return bad_image(
        "e_phoff {:#x}: {} program headers ({:#x} bytes) run past the end of the file at {:#x}",
        header.e_phoff, header.e_phnum, table_size, file_size);
  }
  return {};
}

}  // namespace

Result<ElfFile> open_elf(std::span<const std::byte> bytes) {
  if (const auto checked = check_identification(bytes); !checked) {
    return failure(checked.error());
  }
  Elf64_Ehdr header{};
  if (bytes.size() < sizeof header) {
    return bad_image("the file ends after {:#x} bytes, an ELF header has {:#x}", bytes.size(),
                     sizeof header);
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.e_version != EV_CURRENT) {
    return bad_image("e_version {:#x}: only version 1 exists", header.e_version);
  }
  if (const auto checked = check_program_header_table(header, bytes.size()); !checked) {
    return failure(checked.error());
  }
  check(elf_version(EV_CURRENT) != EV_NONE, "libelf is older than its header");
  // libelf's interface is not const-correct: memory that is opened this way is only read.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast)
  auto* const image = reinterpret_cast<char*>(const_cast<std::byte*>(bytes.data()));
  ElfFile elf(elf_memory(image, bytes.size()));
  if (elf == nullptr || elf_kind(elf.get()) != ELF_K_ELF) {
    return bad_image("libelf refuses the file: {}", elf_errmsg(-1));
  }
  return elf;
}

}  // namespace nestling
