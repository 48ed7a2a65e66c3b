// From ELF headers to an Image, each field checked before it is used.
#include "boot/elf_image.h"

#include <elf.h>
#include <gelf.h>

#include <optional>
#include <string>

#include "boot/elf_file.h"
#include "boot/elf_notes.h"
#include "boot/image_error.h"

namespace nestling {

namespace {

/// "program header 2 (PT_LOAD)": the start of every message about one.
std::string header_name(std::size_t number) { return fmt::format("program header {}", number); }

Result<Architecture> architecture_of(const GElf_Ehdr& header) {
  switch (header.e_machine) {
    case EM_X86_64:
      return Architecture::kX86_64;
    case EM_AARCH64:
      return Architecture::kAarch64;
    default:
      return bad_image("e_machine {}: neither x86_64 ({}) nor aarch64 ({})", header.e_machine,
                       EM_X86_64, EM_AARCH64);
  }
}

Result<void> check_type(const GElf_Ehdr& header) {
  switch (header.e_type) {
    case ET_EXEC:
      return {};
    case ET_DYN:
      return bad_image(
          "e_type 3 (ET_DYN): a position-independent image would need relocating; link the kernel "
          "with -static -no-pie");
    case ET_REL:
      return bad_image("e_type 1 (ET_REL): an object file, not linked yet");
    case ET_CORE:
      return bad_image("e_type 4 (ET_CORE): a core dump, not a program");
    default:
      return bad_image("e_type {:#x}: not an executable (2)", header.e_type);
  }
}

Access access_of(const GElf_Phdr& header) {
  Access access = Access::none();
  if ((header.p_flags & PF_R) != 0) {
    access = access | Access::read();
  }
  if ((header.p_flags & PF_W) != 0) {
    access = access | Access::write();
  }
  if ((header.p_flags & PF_X) != 0) {
    access = access | Access::execute();
  }
  return access;
}

/// Where in the file a program header's bytes are.
Result<std::span<const std::byte>> file_bytes(std::span<const std::byte> file,
                                              const GElf_Phdr& header, std::size_t number) {
  if (header.p_offset > file.size() || header.p_filesz > file.size() - header.p_offset) {
    return bad_image(
        "{}: p_offset {:#x} with p_filesz {:#x} runs past the end of the file at {:#x}",
        header_name(number), header.p_offset, header.p_filesz, file.size());
  }
  return file.subspan(header.p_offset, header.p_filesz);
}

Result<ImageSegment> segment_of(std::span<const std::byte> file, const GElf_Phdr& header,
                                std::size_t number) {
  if (header.p_filesz > header.p_memsz) {
    return bad_image("{}: p_filesz {:#x} is larger than p_memsz {:#x}", header_name(number),
                     header.p_filesz, header.p_memsz);
  }
  const auto memory = GuestPhysRange::make(GuestPhysAddr(header.p_paddr), header.p_memsz);
  if (!memory) {
    return bad_image("{}: p_paddr {:#x} with p_memsz {:#x} wraps around", header_name(number),
                     header.p_paddr, header.p_memsz);
  }
  if (!GuestVirtRange::make(GuestVirtAddr(header.p_vaddr), header.p_memsz)) {
    return bad_image("{}: p_vaddr {:#x} with p_memsz {:#x} wraps around", header_name(number),
                     header.p_vaddr, header.p_memsz);
  }
  const auto bytes = file_bytes(file, header, number);
  if (!bytes) {
    return failure(bytes.error());
  }
  return ImageSegment{*memory, GuestVirtAddr(header.p_vaddr), *bytes, access_of(header), number};
}

/// How far `entry` lies into `segment`, if it does, with `entry` taken as virtual or physical.
std::optional<std::uint64_t> entry_offset(const ImageSegment& segment, std::uint64_t entry,
                                          std::uint64_t start) {
  if (!segment.access.allows(Access::execute()) || entry < start ||
      entry - start >= segment.memory.size()) {
    return std::nullopt;
  }
  return entry - start;
}

Result<GuestPhysAddr> physical_entry(const Image& image, std::uint64_t entry) {
  const ImageSegment* found = nullptr;
  std::optional<std::uint64_t> offset;
  for (const bool is_virtual : {true, false}) {
    for (const ImageSegment& segment : image.segments) {
      const std::uint64_t start =
          is_virtual ? segment.virtual_start.value() : segment.memory.start().value();
      if (!offset) {
        offset = entry_offset(segment, entry, start);
        found = &segment;
      }
    }
  }
  if (!offset) {
    return bad_image("e_entry {:#x}: outside every executable segment", entry);
  }
  if (*offset >= found->file.size()) {
    return bad_image("e_entry {:#x}: in the part of {} that the file leaves zero (p_filesz {:#x})",
                     entry, header_name(found->number), found->file.size());
  }
  return found->memory.start() + *offset;
}

Result<void> read_program_header(Elf* elf, std::size_t number, Image& image) {
  GElf_Phdr header{};
  if (gelf_getphdr(elf, static_cast<int>(number), &header) == nullptr) {
    return bad_image("{}: unreadable: {}", header_name(number), elf_errmsg(-1));
  }
  if (header.p_type == PT_INTERP) {
    return bad_image("{}: PT_INTERP: the image wants a dynamic loader; link it with -static",
                     header_name(number));
  }
  if (header.p_type == PT_NOTE) {
    const auto bytes = file_bytes(image.file, header, number);
    if (!bytes) {
      return failure(bytes.error());
    }
    return read_notes(elf, header, number, image);
  }
  if (header.p_type == PT_LOAD) {
    auto segment = segment_of(image.file, header, number);
    if (!segment) {
      return failure(segment.error());
    }
    if (!segment->memory.is_empty()) {
      image.segments.push_back(*segment);
    }
  }
  return {};
}

}  // namespace

Result<Image> parse_elf_image(std::span<const std::byte> bytes) {
  const auto elf = open_elf(bytes);
  if (!elf) {
    return failure(elf.error());
  }
  GElf_Ehdr header{};
  if (gelf_getehdr(elf->get(), &header) == nullptr) {
    return bad_image("the ELF header is unreadable: {}", elf_errmsg(-1));
  }
  const auto architecture = architecture_of(header);
  if (!architecture) {
    return failure(architecture.error());
  }
  if (const auto checked = check_type(header); !checked) {
    return failure(checked.error());
  }
  Image image;
  image.format = ImageFormat::kElf64;
  image.architecture = *architecture;
  image.file = bytes;
  for (std::size_t number = 0; number < header.e_phnum; ++number) {
    if (const auto done = read_program_header(elf->get(), number, image); !done) {
      return failure(done.error());
    }
  }
  if (image.segments.empty()) {
    return bad_image("e_phnum {}: no PT_LOAD among the program headers, so nothing to load",
                     header.e_phnum);
  }
  const auto entry = physical_entry(image, header.e_entry);
  if (!entry) {
    return failure(entry.error());
  }
  image.entry = *entry;
  image.virtual_entry = GuestVirtAddr(header.e_entry);
  return image;
}

}  // namespace nestling
