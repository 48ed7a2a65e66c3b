// A walk over one PT_NOTE segment.
#include "boot/elf_notes.h"

#include <elf.h>

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

}  // namespace

Result<void> read_notes(Elf* elf, const GElf_Phdr& header, std::size_t number, ImageNeeds& needs) {
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
    // The owner's name ends with a NUL, which n_namesz counts.
    if (note.n_type == kNeedsNoteType && name.size() == kNeedsNoteOwner.size() + 1 &&
        std::memcmp(name.data(), kNeedsNoteOwner.data(), name.size()) == 0) {
      auto done = read_needs(bytes.subspan(description_offset, note.n_descsz), number, needs);
      if (!done) {
        return done;
      }
    }
    offset = next;
  }
  return {};
}

}  // namespace nestling
