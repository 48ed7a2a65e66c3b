// A walk over one PT_NOTE segment.
#include "boot/elf_notes.h"

#include <elf.h>

#include <array>
#include <cstring>

#include "boot/image_error.h"

namespace nestling {

namespace {

bool fits(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

Result<void> read_needs(std::span<const std::byte> description, std::size_t number,
                        ImageNeeds& needs) {
  std::uint32_t flags = 0;
  if (description.size() != sizeof flags) {
    return bad_image("program header {}: the note of owner {} has n_descsz {:#x} instead of {:#x}",
                     number, kNeedsNoteOwner, description.size(), sizeof flags);
  }
  std::memcpy(&flags, description.data(), sizeof flags);
  if ((flags & ~kNeedsNoteIrqchip) != 0) {
    return bad_image(
        "program header {}: the note of owner {} asks for {:#x}, of which this version knows {:#x}",
        number, kNeedsNoteOwner, flags, kNeedsNoteIrqchip);
  }
  needs.irqchip = needs.irqchip || (flags & kNeedsNoteIrqchip) != 0;
  return {};
}

/// The owner's name ends with a NUL, which n_namesz counts.
bool is_owner(std::span<const std::byte> name, std::string_view owner) {
  return name.size() == owner.size() + 1 &&
         std::memcmp(name.data(), owner.data(), owner.size()) == 0 && name.back() == std::byte{0};
}

/// GNU's note for the loader: an operating system and its oldest version that will do.
void read_abi_tag(std::span<const std::byte> description, std::vector<std::string>& doubts) {
  std::array<std::uint32_t, 4> tag{};
  if (description.size() < sizeof tag) {
    return;
  }
  std::memcpy(tag.data(), description.data(), sizeof tag);
  if (tag[0] == ELF_NOTE_OS_LINUX) {
    doubts.push_back(fmt::format("a note says it is a program for Linux {}.{}.{} or later", tag[1],
                                 tag[2], tag[3]));
  }
}

}  // namespace

Result<void> read_notes(Elf* elf, const GElf_Phdr& header, std::size_t number, Image& image) {
  if (header.p_filesz == 0) {
    return {};
  }
  // Notes are padded to 4 bytes, or to 8 in a segment that is aligned so.
  const Elf_Type type = header.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
  Elf_Data* const data =
      elf_getdata_rawchunk(elf, static_cast<std::int64_t>(header.p_offset), header.p_filesz, type);
  if (data == nullptr) {
    return bad_image("program header {}: the notes at p_offset {:#x} are unreadable: {}", number,
                     header.p_offset, elf_errmsg(-1));
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(data->d_buf), data->d_size);
  std::size_t offset = 0;
  while (offset < bytes.size()) {
    GElf_Nhdr note{};
    std::size_t name_offset = 0;
    std::size_t description_offset = 0;
    const std::size_t next = gelf_getnote(data, offset, &note, &name_offset, &description_offset);
    // libelf has checked this; a mistake there must not become one here.
    if (next <= offset || !fits(bytes, name_offset, note.n_namesz) ||
        !fits(bytes, description_offset, note.n_descsz)) {
      return bad_image("program header {}: the note at offset {:#x} runs past p_filesz {:#x}",
                       number, offset, header.p_filesz);
    }
    const std::span<const std::byte> name = bytes.subspan(name_offset, note.n_namesz);
    const auto description = bytes.subspan(description_offset, note.n_descsz);
    if (note.n_type == kNeedsNoteType && is_owner(name, kNeedsNoteOwner)) {
      if (auto done = read_needs(description, number, image.needs); !done) {
        return done;
      }
    } else if (note.n_type == NT_GNU_ABI_TAG && is_owner(name, ELF_NOTE_GNU)) {
      read_abi_tag(description, image.doubts);
    }
    offset = next;
  }
  return {};
}

}  // namespace nestling
