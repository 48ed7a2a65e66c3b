// The ELF reader: what a good kernel becomes, and which field each bad one is refused for.
#include "boot/elf_image.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/elf_builder.h"
#include "tests/support/guarded_bytes.h"

namespace nestling {
namespace {

constexpr std::uint64_t kTop = ~std::uint64_t{0};

/// The message with which `file` is refused; fails the test when it is not, or as anything but a
/// bad image.
std::string refusal(const ElfBytes& file) {
  const auto image = parse_elf_image(file.bytes());
  if (image) {
    ADD_FAILURE() << "accepted";
    return {};
  }
  EXPECT_EQ(image.error().kind, ErrorKind::kBadImage);
  return image.error().message;
}

ElfBytes kernel() { return small_kernel().build(); }

std::vector<std::byte> flags_bytes(std::uint8_t flags) {
  return {static_cast<std::byte>(flags), std::byte{0}, std::byte{0}, std::byte{0}};
}

TEST(ElfImage, BecomesItsSegments) {
  const ElfBytes file = kernel();
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->format, ImageFormat::kElf64);
  EXPECT_EQ(image->architecture, Architecture::kX86_64);
  EXPECT_EQ(image->entry, GuestPhysAddr(0x10'0010));
  EXPECT_FALSE(image->needs.irqchip);
  ASSERT_EQ(image->segments.size(), 3U);
  const ImageSegment& data = image->segments[2];
  EXPECT_EQ(data.memory, GuestPhysRange::of(GuestPhysAddr(0x10'2000), 0x3000));
  EXPECT_EQ(data.file.size(), 0x20U);
  EXPECT_EQ(data.file[0], std::byte{0x21});
  EXPECT_EQ(data.access, Access::read_write());
  EXPECT_EQ(data.number, 2U);
  EXPECT_EQ(image->segments[0].access, Access::read() | Access::execute());
}

TEST(ElfImage, IsAlsoReadForAarch64) {
  ElfBytes file = kernel();
  file.header().e_machine = EM_AARCH64;
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->architecture, Architecture::kAarch64);
}

TEST(ElfImage, LeavesOutSegmentsWithoutMemory) {
  ElfBuilder builder = small_kernel();
  builder.add_segment({0, 0, PF_R}, {});
  const ElfBytes file = builder.build();
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->segments.size(), 3U);
}

TEST(ElfImage, TranslatesTheEntryOfAKernelLinkedHigh) {
  ElfBytes file = kernel();
  file.program_header(0).p_vaddr = 0xffff'ffff'8010'0000;
  file.header().e_entry = 0xffff'ffff'8010'0010;
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->entry, GuestPhysAddr(0x10'0010));
  EXPECT_EQ(image->virtual_entry, GuestVirtAddr(0xffff'ffff'8010'0010));
}

TEST(ElfImage, TakesAPhysicalEntryOfAKernelLinkedHigh) {
  ElfBytes file = kernel();
  file.program_header(0).p_vaddr = 0xffff'ffff'8010'0000;
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->entry, GuestPhysAddr(0x10'0010));
}

TEST(ElfImage, AcceptsASegmentThatEndsAtTheTopOfTheAddressSpace) {
  ElfBytes file = kernel();
  file.program_header(2).p_vaddr = kTop - 0x2fff;
  EXPECT_TRUE(parse_elf_image(file.bytes()));
}

TEST(ElfImage, StatesThatItNeedsTheIrqchip) {
  ElfBuilder builder = small_kernel();
  builder.add_note("GNU", 1, flags_bytes(0xff));
  builder.add_note("Nestling", 1, flags_bytes(1));
  const ElfBytes file = builder.build();
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_TRUE(image->needs.irqchip);
}

TEST(ElfImage, DoubtsAFileWithTheNoteOfAProgramForLinux) {
  const auto doubts = [](std::vector<std::byte> tag) {
    ElfBuilder builder = small_kernel();
    builder.add_note("GNU", NT_GNU_ABI_TAG, std::move(tag));
    const ElfBytes file = builder.build();
    const auto image = parse_elf_image(file.bytes());
    EXPECT_TRUE(image) << image.error().message;
    return image->doubts;
  };
  const auto words = [](std::array<std::uint32_t, 4> tag) {
    const auto bytes = std::as_bytes(std::span(tag));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(doubts(words({0, 3, 2, 1})),
            std::vector<std::string>{"a note says it is a program for Linux 3.2.1 or later"});
  EXPECT_TRUE(doubts(words({1, 3, 2, 0})).empty()) << "GNU/Hurd has other words for it";
  EXPECT_TRUE(doubts(counting_bytes(15)).empty());
}

TEST(ElfImage, FindsItsNoteBehindOthersInOneSegment) {
  ElfBuilder two;
  two.add_note("GNU", 5, counting_bytes(9));
  two.add_note("Nestling", 1, flags_bytes(1));
  ElfBytes notes = two.build();
  const Elf64_Phdr first = notes.program_header(0);
  const Elf64_Phdr second = notes.program_header(1);
  // The builder puts each at a multiple of 8; both notes happen to end at one of 4.
  ASSERT_EQ((first.p_offset + first.p_filesz + 7) / 8 * 8, second.p_offset);
  std::vector<std::byte> both;
  for (const Elf64_Phdr& header : {first, second}) {
    const auto bytes = notes.bytes().subspan(header.p_offset, header.p_filesz);
    both.insert(both.end(), bytes.begin(), bytes.end());
  }
  ElfBuilder builder = small_kernel();
  Elf64_Phdr header{};
  header.p_type = PT_NOTE;
  header.p_align = 4;
  builder.add_program_header(header, both);
  const ElfBytes file = builder.build();
  const auto image = parse_elf_image(file.bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_TRUE(image->needs.irqchip);
}

TEST(ElfImage, IsRefusedForNeedsOfALaterVersion) {
  ElfBuilder builder = small_kernel();
  builder.add_note("Nestling", 1, flags_bytes(5));
  EXPECT_EQ(
      refusal(builder.build()),
      "program header 3: the note of owner Nestling asks for 0x5, of which this version knows "
      "0x1");
}

TEST(ElfImage, IsRefusedForANoteOfTheWrongSize) {
  ElfBuilder builder = small_kernel();
  builder.add_note("Nestling", 1, counting_bytes(3));
  EXPECT_EQ(refusal(builder.build()),
            "program header 3: the note of owner Nestling has n_descsz 0x3 instead of 0x4");
}

TEST(ElfImage, IsRefusedForNotesThatRunPastTheirSegment) {
  for (const std::size_t field : {offsetof(Elf64_Nhdr, n_namesz), offsetof(Elf64_Nhdr, n_descsz)}) {
    for (const int size : {0x10, 0x7f, 0xff}) {
      ElfBuilder builder = small_kernel();
      builder.add_note("Nestling", 1, flags_bytes(1));
      ElfBytes file = builder.build();
      const std::uint64_t note = file.program_header(3).p_offset;
      // 0xff in all four bytes: a size of almost 4 GiB.
      for (std::size_t byte = 0; byte < (size == 0xff ? 4U : 1U); ++byte) {
        file.writable_bytes()[note + field + byte] = static_cast<std::byte>(size);
      }
      EXPECT_EQ(refusal(file), "program header 3: the note at offset 0x0 runs past p_filesz 0x1c");
    }
  }
}

TEST(ElfImage, IsRefusedForNotesOutsideTheFile) {
  ElfBuilder builder = small_kernel();
  builder.add_note("Nestling", 1, flags_bytes(1));
  ElfBytes file = builder.build();
  file.program_header(3).p_offset = 0x10'0000;
  EXPECT_NE(refusal(file).find("program header 3: p_offset 0x100000 with p_filesz 0x1c runs past"),
            std::string::npos);
}

TEST(ElfImage, IsRefusedWhenEmpty) { EXPECT_EQ(refusal(ElfBytes({})), "the file is empty"); }

TEST(ElfImage, IsRefusedWhenNotElf) {
  EXPECT_EQ(refusal(ElfBytes(counting_bytes(4096, '#'))),
            "e_ident: starts with 23 24 25 26, not with the ELF magic 7f 45 4c 46 (a raw binary "
            "needs --flat ADDRESS)");
  EXPECT_NE(refusal(ElfBytes(counting_bytes(1, 0x7f))).find("e_ident: starts with 7f,"),
            std::string::npos);
}

TEST(ElfImage, IsRefusedWhen32Bit) {
  ElfBytes file = kernel();
  file.header().e_ident[EI_CLASS] = ELFCLASS32;
  EXPECT_EQ(refusal(file), "EI_CLASS 1: a 32-bit image; only 64-bit ones boot");
  file.header().e_ident[EI_CLASS] = 7;
  EXPECT_EQ(refusal(file), "EI_CLASS 7: neither 32-bit (1) nor 64-bit (2)");
}

TEST(ElfImage, IsRefusedWhenBigEndian) {
  ElfBytes file = kernel();
  file.header().e_ident[EI_DATA] = ELFDATA2MSB;
  EXPECT_EQ(refusal(file), "EI_DATA 2: a big-endian image; only little-endian ones boot");
  file.header().e_ident[EI_DATA] = 0;
  EXPECT_EQ(refusal(file), "EI_DATA 0: neither little-endian (1) nor big-endian (2)");
}

TEST(ElfImage, IsRefusedForAnUnknownVersion) {
  ElfBytes file = kernel();
  file.header().e_version = 2;
  EXPECT_EQ(refusal(file), "e_version 0x2: only version 1 exists");
  file.header().e_ident[EI_VERSION] = 0;
  EXPECT_EQ(refusal(file), "EI_VERSION 0: only version 1 exists");
}

TEST(ElfImage, IsRefusedForAnotherMachine) {
  ElfBytes file = kernel();
  file.header().e_machine = EM_RISCV;
  EXPECT_EQ(refusal(file), "e_machine 243: neither x86_64 (62) nor aarch64 (183)");
}

TEST(ElfImage, IsRefusedUnlessItIsAnExecutable) {
  ElfBytes file = kernel();
  file.header().e_type = ET_DYN;
  EXPECT_EQ(
      refusal(file),
      "e_type 3 (ET_DYN): a position-independent image would need relocating; link the kernel "
      "with -static -no-pie");
  file.header().e_type = ET_REL;
  EXPECT_EQ(refusal(file), "e_type 1 (ET_REL): an object file, not linked yet");
  file.header().e_type = ET_CORE;
  EXPECT_EQ(refusal(file), "e_type 4 (ET_CORE): a core dump, not a program");
  file.header().e_type = 0xfe00;
  EXPECT_EQ(refusal(file), "e_type 0xfe00: not an executable (2)");
}

TEST(ElfImage, IsRefusedWhenItWantsADynamicLoader) {
  ElfBuilder builder = small_kernel();
  Elf64_Phdr header{};
  header.p_type = PT_INTERP;
  builder.add_program_header(header, counting_bytes(8));
  EXPECT_EQ(refusal(builder.build()),
            "program header 3: PT_INTERP: the image wants a dynamic loader; link it with -static");
}

TEST(ElfImage, IsRefusedWithoutAnythingToLoad) {
  ElfBytes file = kernel();
  file.header().e_phnum = 0;
  EXPECT_EQ(refusal(file), "e_phnum 0: no program headers, so nothing to load");
  ElfBuilder builder;
  builder.add_note("GNU", 1, flags_bytes(0));
  EXPECT_EQ(refusal(builder.build()),
            "e_phnum 1: no PT_LOAD among the program headers, so nothing to load");
}

TEST(ElfImage, IsRefusedForAbsurdProgramHeaderTables) {
  ElfBytes file = kernel();
  file.header().e_phnum = 0xffff;
  EXPECT_EQ(refusal(file), "e_phnum 65535: more than 256 program headers");
  file.header().e_phnum = 200;
  EXPECT_NE(refusal(file).find("e_phoff 0x40: 200 program headers (0x2bc0 bytes) run past the end"),
            std::string::npos);
  file.header().e_phnum = 3;
  file.header().e_phoff = kTop - 8;
  EXPECT_NE(refusal(file).find("e_phoff 0xfffffffffffffff7: 3 program headers"), std::string::npos);
  file.header().e_phoff = 0x40;
  file.header().e_phentsize = 32;
  EXPECT_EQ(refusal(file), "e_phentsize 0x20: a 64-bit program header has 0x38 bytes");
}

TEST(ElfImage, IsRefusedWhenASegmentHasMoreFileThanMemory) {
  ElfBytes file = kernel();
  file.program_header(2).p_filesz = 0x4000;
  EXPECT_EQ(refusal(file), "program header 2: p_filesz 0x4000 is larger than p_memsz 0x3000");
}

TEST(ElfImage, IsRefusedWhenASegmentWrapsAround) {
  ElfBytes physical = kernel();
  physical.program_header(2).p_paddr = kTop - 0xfff;
  EXPECT_EQ(refusal(physical),
            "program header 2: p_paddr 0xfffffffffffff000 with p_memsz 0x3000 wraps around");
  ElfBytes linked = kernel();
  linked.program_header(2).p_vaddr = kTop - 0xfff;
  EXPECT_EQ(refusal(linked),
            "program header 2: p_vaddr 0xfffffffffffff000 with p_memsz 0x3000 wraps around");
  ElfBytes size = kernel();
  size.program_header(0).p_memsz = kTop;
  EXPECT_EQ(refusal(size),
            "program header 0: p_paddr 0x100000 with p_memsz 0xffffffffffffffff wraps around");
}

TEST(ElfImage, IsRefusedWhenASegmentLiesOutsideTheFile) {
  ElfBytes file = kernel();
  const std::string end = fmt::format("{:#x}", file.bytes().size());
  file.program_header(0).p_offset = kTop;
  EXPECT_EQ(refusal(file),
            "program header 0: p_offset 0xffffffffffffffff with p_filesz 0x40 runs past the end of "
            "the file at " +
                end);
  file.program_header(0).p_offset = file.bytes().size() - 0x3f;
  EXPECT_NE(refusal(file).find("with p_filesz 0x40 runs past the end of the file at " + end),
            std::string::npos);
  file.program_header(0).p_offset = file.bytes().size() - 0x40;
  EXPECT_TRUE(parse_elf_image(file.bytes())) << "ends exactly at the end of the file";
}

TEST(ElfImage, IsRefusedWhenTheEntryIsNotCode) {
  ElfBytes file = kernel();
  file.header().e_entry = 0x10'0040;
  EXPECT_EQ(refusal(file), "e_entry 0x100040: outside every executable segment");
  file.header().e_entry = 0x10'1000;
  EXPECT_EQ(refusal(file), "e_entry 0x101000: outside every executable segment");
  file.header().e_entry = kTop;
  EXPECT_EQ(refusal(file), "e_entry 0xffffffffffffffff: outside every executable segment");
}

TEST(ElfImage, IsRefusedWhenTheEntryIsInZeros) {
  ElfBytes file = kernel();
  file.program_header(0).p_memsz = 0x1000;
  file.header().e_entry = 0x10'0040;
  EXPECT_EQ(refusal(file),
            "e_entry 0x100040: in the part of program header 0 that the file leaves zero (p_filesz "
            "0x40)");
}

TEST(ElfImage, IsRefusedOrBecomesAnImageCutOffAtAnyByte) {
  ElfBuilder builder = small_kernel();
  builder.add_note("Nestling", 1, flags_bytes(1));
  const ElfBytes file = builder.build();
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < file.bytes().size(); ++size) {
    const testing::GuardedBytes cut(file.bytes().first(size));
    const auto image = parse_elf_image(cut.bytes());
    if (image) {
      ++accepted;
      continue;
    }
    EXPECT_EQ(image.error().kind, ErrorKind::kBadImage) << size;
    EXPECT_FALSE(image.error().message.empty()) << size;
  }
  // From the end of the last segment on nothing that is loaded is missing.
  const Elf64_Phdr last = ElfBytes(file).program_header(3);
  EXPECT_EQ(accepted, file.bytes().size() - (last.p_offset + last.p_filesz));
}

TEST(ElfImage, SurvivesAnyByteOfItsHeadersSetToAnyExtreme) {
  ElfBuilder builder = small_kernel();
  builder.add_note("Nestling", 1, flags_bytes(1));
  const ElfBytes file = builder.build();
  const std::size_t headers = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr);
  std::size_t refused = 0;
  for (std::size_t index = 0; index < headers; ++index) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      ElfBytes spoiled = file;
      spoiled.writable_bytes()[index] = static_cast<std::byte>(value);
      const testing::GuardedBytes guarded(spoiled.bytes());
      const auto image = parse_elf_image(guarded.bytes());
      if (!image) {
        EXPECT_EQ(image.error().kind, ErrorKind::kBadImage);
        ++refused;
        continue;
      }
      for (const ImageSegment& segment : image->segments) {
        EXPECT_LE(segment.file.size(), segment.memory.size());
      }
    }
  }
  EXPECT_GT(refused, 100U);
}

}  // namespace
}  // namespace nestling
