// Laying out an ELF file.
#include "tests/support/elf_builder.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace nestling {

namespace {

template <typename T>
T& at(std::span<std::byte> bytes, std::uint64_t offset) {
  // The builder keeps every header aligned, and the vector's storage is.
  return *reinterpret_cast<T*>(bytes.subspan(offset, sizeof(T)).data());
}

template <typename T>
std::uint64_t append(std::vector<std::byte>& out, std::span<const T> objects) {
  out.resize((out.size() + 7) / 8 * 8);
  const std::uint64_t offset = out.size();
  const auto bytes = std::as_bytes(objects);
  out.insert(out.end(), bytes.begin(), bytes.end());
  return offset;
}

}  // namespace

Elf64_Ehdr& ElfBytes::header() { return at<Elf64_Ehdr>(bytes_, 0); }

Elf64_Phdr& ElfBytes::program_header(std::size_t number) {
  return at<Elf64_Phdr>(bytes_, sizeof(Elf64_Ehdr) + number * sizeof(Elf64_Phdr));
}

Elf64_Shdr& ElfBytes::section(std::size_t number) {
  // Found from the end, so that it works whatever e_shoff says.
  const std::size_t from_end = (3 - number) * sizeof(Elf64_Shdr);
  return at<Elf64_Shdr>(bytes_, bytes_.size() - from_end);
}

Elf64_Sym& ElfBytes::symbol(std::size_t number) {
  return at<Elf64_Sym>(bytes_, section(1).sh_offset + number * sizeof(Elf64_Sym));
}

std::size_t ElfBuilder::add_program_header(Elf64_Phdr header, std::vector<std::byte> file) {
  header.p_filesz = file.size();
  pieces_.push_back({header, std::move(file)});
  return pieces_.size() - 1;
}

std::size_t ElfBuilder::add_segment(const Segment& segment, std::vector<std::byte> file) {
  Elf64_Phdr header{};
  header.p_type = PT_LOAD;
  header.p_flags = segment.flags;
  header.p_vaddr = segment.address;
  header.p_paddr = segment.address;
  header.p_memsz = segment.memory_size;
  header.p_align = 8;
  return add_program_header(header, std::move(file));
}

std::size_t ElfBuilder::add_note(std::string_view owner, std::uint32_t type,
                                 std::vector<std::byte> bytes) {
  Elf64_Nhdr note{};
  note.n_namesz = static_cast<std::uint32_t>(owner.size() + 1);
  note.n_descsz = static_cast<std::uint32_t>(bytes.size());
  note.n_type = type;
  std::vector<std::byte> file(sizeof note);
  std::memcpy(file.data(), &note, sizeof note);
  std::transform(owner.begin(), owner.end(), std::back_inserter(file),
                 [](char letter) { return static_cast<std::byte>(letter); });
  file.resize((file.size() + 1 + 3) / 4 * 4);
  file.insert(file.end(), bytes.begin(), bytes.end());
  file.resize((file.size() + 3) / 4 * 4);
  Elf64_Phdr header{};
  header.p_type = PT_NOTE;
  header.p_flags = PF_R;
  header.p_memsz = file.size();
  header.p_align = 4;
  return add_program_header(header, std::move(file));
}

void ElfBuilder::add_symbol(std::string_view name, const Symbol& symbol) {
  Elf64_Sym entry{};
  entry.st_name = static_cast<std::uint32_t>(strings_.size());
  entry.st_info = ELF64_ST_INFO(STB_GLOBAL, symbol.type);
  entry.st_shndx = 1;
  entry.st_value = symbol.value;
  entry.st_size = symbol.size;
  symbols_.push_back(entry);
  strings_.append(name);
  strings_.push_back('\0');
}

ElfBytes ElfBuilder::build() const {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_entry = entry_;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = static_cast<std::uint16_t>(pieces_.size());

  std::vector<std::byte> out(sizeof header + pieces_.size() * sizeof(Elf64_Phdr));
  std::size_t number = 0;
  for (Piece piece : pieces_) {
    piece.header.p_offset = append(out, std::span<const std::byte>(piece.file));
    at<Elf64_Phdr>(out, sizeof header + number++ * sizeof(Elf64_Phdr)) = piece.header;
  }
  if (symbols_.size() > 1) {
    Elf64_Shdr strings{};
    strings.sh_type = SHT_STRTAB;
    strings.sh_offset = append(out, std::span<const char>(strings_));
    strings.sh_size = strings_.size();
    Elf64_Shdr symbols{};
    symbols.sh_type = SHT_SYMTAB;
    symbols.sh_offset = append(out, std::span<const Elf64_Sym>(symbols_));
    symbols.sh_size = symbols_.size() * sizeof(Elf64_Sym);
    symbols.sh_entsize = sizeof(Elf64_Sym);
    symbols.sh_link = 2;
    const Elf64_Shdr sections[] = {Elf64_Shdr{}, symbols, strings};
    header.e_shoff = append(out, std::span<const Elf64_Shdr>(sections));
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = 3;
  }
  at<Elf64_Ehdr>(out, 0) = header;
  return ElfBytes(std::move(out));
}

ElfBuilder small_kernel() {
  ElfBuilder builder;
  builder.add_segment({0x10'0000, 0x40, PF_R | PF_X}, counting_bytes(0x40, 0x90));
  builder.add_segment({0x10'1000, 0x10, PF_R}, counting_bytes(0x10, 1));
  builder.add_segment({0x10'2000, 0x3000, PF_R | PF_W}, counting_bytes(0x20, 0x21));
  builder.set_entry(0x10'0010);
  builder.add_symbol("start", {0x10'0010, 0, STT_NOTYPE});
  builder.add_symbol("_Z9crash_nowv", {0x10'0020, 0x20, STT_FUNC});
  builder.add_symbol("counter", {0x10'2000, 8, STT_OBJECT});
  return builder;
}

std::vector<std::byte> counting_bytes(std::size_t count, std::uint8_t first) {
  std::vector<std::byte> bytes(count);
  std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(first++); });
  return bytes;
}

}  // namespace nestling
