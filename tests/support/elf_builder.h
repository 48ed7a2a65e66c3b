// ElfBuilder: makes real ELF64 files in memory, whose headers a test can then spoil.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nestling {

/// The bytes of a valid ELF file with its headers at hand, to be read and overwritten.
class ElfBytes {
 public:
  explicit ElfBytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] std::span<std::byte> writable_bytes() { return bytes_; }
  [[nodiscard]] Elf64_Ehdr& header();
  [[nodiscard]] Elf64_Phdr& program_header(std::size_t number);
  /// 1 is the symbol table, 2 its strings.
  [[nodiscard]] Elf64_Shdr& section(std::size_t number);
  [[nodiscard]] Elf64_Sym& symbol(std::size_t number);

 private:
  std::vector<std::byte> bytes_;
};

/// Collects segments, notes and symbols.
///
///     file: | ELF header | program headers | segment bytes … | strings | symbols | sections |
class ElfBuilder {
 public:
  struct Segment {
    std::uint64_t address = 0;  ///< physical and virtual
    std::uint64_t memory_size = 0;
    std::uint32_t flags = 0;
  };
  struct Symbol {
    std::uint64_t value = 0;
    std::uint64_t size = 0;
    unsigned char type = STT_NOTYPE;
  };

  /// A PT_LOAD. Returns its number.
  std::size_t add_segment(const Segment& segment, std::vector<std::byte> file);
  /// A PT_NOTE of one note; owner with its NUL.
  std::size_t add_note(std::string_view owner, std::uint32_t type, std::vector<std::byte> bytes);
  /// Any other program header, or one of the above with its bytes made by hand. p_offset and
  /// p_filesz are filled in.
  std::size_t add_program_header(Elf64_Phdr header, std::vector<std::byte> file);
  void add_symbol(std::string_view name, const Symbol& symbol);
  void set_entry(std::uint64_t entry) { entry_ = entry; }

  /// Without symbols added the file has no sections at all.
  [[nodiscard]] ElfBytes build() const;

 private:
  struct Piece {
    Elf64_Phdr header{};
    std::vector<std::byte> file;
  };

  std::uint64_t entry_ = 0;
  std::vector<Piece> pieces_;
  std::vector<Elf64_Sym> symbols_ = {Elf64_Sym{}};
  std::string strings_ = std::string(1, '\0');
};

/// A kernel as linkers make them: code at 1 MiB, read-only data, data with .bss, a few symbols.
[[nodiscard]] ElfBuilder small_kernel();

/// `count` bytes that count up from `first`.
[[nodiscard]] std::vector<std::byte> counting_bytes(std::size_t count, std::uint8_t first = 0);

}  // namespace nestling
