// Reading symbols from ELF files, good and spoiled.
#include "boot/elf_symbols.h"

#include <string>

#include <gtest/gtest.h>

#include "boot/elf_image.h"
#include "boot/flat_image.h"
#include "tests/support/elf_builder.h"
#include "tests/support/guarded_bytes.h"

namespace nestling {
namespace {

constexpr std::uint64_t kTop = ~std::uint64_t{0};

/// The bytes must outlive the table.
Result<SymbolTable> symbols_of(std::span<const std::byte> bytes) {
  auto image = parse_elf_image(bytes);
  EXPECT_TRUE(image);
  image->name = "kernel";
  return read_symbols(*image);
}

Result<SymbolTable> symbols_of(const ElfBytes& file) { return symbols_of(file.bytes()); }

TEST(ElfSymbols, AreFoundByAddress) {
  const ElfBytes file = small_kernel().build();
  const auto table = symbols_of(file);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->size(), 3U);
  EXPECT_EQ(table->describe(GuestVirtAddr(0x10'0034)), "crash_now()+0x14");
  EXPECT_EQ(table->describe(GuestVirtAddr(0x10'2000)), "counter");
}

TEST(ElfSymbols, NameNothingOutsideTheImage) {
  ElfBuilder builder = small_kernel();
  // As assemblers write them: no size, so that it reaches up to whatever is next.
  builder.add_symbol("last_label", {0x10'2ff0, 0, STT_NOTYPE});
  builder.add_symbol("stray", {0xffff'fff0, 16, STT_FUNC});
  const ElfBytes file = builder.build();
  const auto table = symbols_of(file);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->describe(GuestVirtAddr(0x10'4fff)), "last_label+0x200f");
  EXPECT_EQ(table->describe(GuestVirtAddr(0x10'5000)), "");
  EXPECT_EQ(table->describe(GuestVirtAddr(0xffff'fff0)), "");
  EXPECT_EQ(table->describe(GuestVirtAddr(kTop)), "");
}

TEST(ElfSymbols, AreNoneInAStrippedOrFlatImage) {
  ElfBuilder builder;
  builder.add_segment({0x10'0000, 16, PF_R | PF_X}, counting_bytes(16));
  builder.set_entry(0x10'0000);
  const ElfBytes stripped = builder.build();
  const auto none = symbols_of(stripped);
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->is_empty());

  const auto bytes = counting_bytes(16);
  const auto flat = make_flat_image(bytes, GuestPhysAddr(0x1000), Architecture::kX86_64);
  ASSERT_TRUE(flat);
  EXPECT_TRUE(read_symbols(*flat).value().is_empty());
}

TEST(ElfSymbols, ComeFromDynsymWhereThatIsAllThereIs) {
  ElfBytes file = small_kernel().build();
  file.section(1).sh_type = SHT_DYNSYM;
  EXPECT_EQ(symbols_of(file)->size(), 3U);
}

TEST(ElfSymbols, LeaveOutWhatIsNotInTheImage) {
  ElfBytes file = small_kernel().build();
  file.symbol(1).st_shndx = SHN_UNDEF;
  file.symbol(2).st_shndx = SHN_ABS;
  file.symbol(3).st_info = ELF64_ST_INFO(STB_LOCAL, STT_FILE);
  EXPECT_TRUE(symbols_of(file)->is_empty());
}

TEST(ElfSymbols, LeaveOutNamesOutsideTheStrings) {
  ElfBytes file = small_kernel().build();
  file.symbol(1).st_name = 0x1000;
  file.symbol(2).st_name = 0xffff'ffff;
  const auto table = symbols_of(file);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->size(), 1U);
}

TEST(ElfSymbols, LeaveOutAbsurdlyLongNames) {
  ElfBuilder builder = small_kernel();
  builder.add_symbol(std::string(kMaxSymbolName, 'a'), {0x10'0000, 1, STT_FUNC});
  builder.add_symbol(std::string(kMaxSymbolName + 1, 'b'), {0x10'0001, 1, STT_FUNC});
  const ElfBytes file = builder.build();
  const auto table = symbols_of(file);
  ASSERT_TRUE(table);
  EXPECT_TRUE(table->find(GuestVirtAddr(0x10'0000)));
  EXPECT_FALSE(table->find(GuestVirtAddr(0x10'0001)));
}

TEST(ElfSymbols, AreNamelessWhenTheStringTableIsOutOfRange) {
  ElfBytes file = small_kernel().build();
  file.section(2).sh_offset = kTop - 0x10;
  EXPECT_TRUE(symbols_of(file)->is_empty());
  file.section(2).sh_offset = 0;
  file.section(2).sh_size = std::uint64_t{4} << 30;
  EXPECT_TRUE(symbols_of(file)->is_empty());
  ElfBytes link = small_kernel().build();
  for (const std::uint32_t section : {0U, 1U, 3U, 0xffff'ffffU}) {
    link.section(1).sh_link = section;
    EXPECT_TRUE(symbols_of(link)->is_empty()) << section;
  }
}

TEST(ElfSymbols, AreRefusedWhenTheirSectionIsOutOfRange) {
  for (const std::uint64_t size : {std::uint64_t{4} << 30, kTop}) {
    ElfBytes file = small_kernel().build();
    file.section(1).sh_size = size;
    const auto table = symbols_of(file);
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().kind, ErrorKind::kBadImage);
    EXPECT_NE(table.error().message.find(fmt::format("sh_size {:#x}", size)), std::string::npos)
        << table.error().message;
  }
  ElfBytes entry_size = small_kernel().build();
  entry_size.section(1).sh_entsize = 16;
  EXPECT_FALSE(symbols_of(entry_size));
}

TEST(ElfSymbols, DoNotKeepAnImageFromBootingWhenSpoiled) {
  ElfBytes file = small_kernel().build();
  file.header().e_shoff = kTop;
  EXPECT_TRUE(parse_elf_image(file.bytes()));
  file.header().e_shoff = file.bytes().size() - 8;
  file.header().e_shnum = 0xffff;
  EXPECT_TRUE(parse_elf_image(file.bytes()));
  file.header().e_shentsize = 1;
  EXPECT_TRUE(parse_elf_image(file.bytes()));
  file.header().e_shstrndx = 0xffff;
  EXPECT_TRUE(parse_elf_image(file.bytes()));
}

TEST(ElfSymbols, AreReadOrRefusedCutOffAtAnyByteBehindTheSegments) {
  const ElfBytes file = small_kernel().build();
  std::size_t complete = 0;
  for (std::size_t size = ElfBytes(file).section(2).sh_offset; size <= file.bytes().size();
       ++size) {
    const testing::GuardedBytes cut(file.bytes().first(size));
    const auto table = symbols_of(cut.bytes());
    if (table && table->size() == 3) {
      ++complete;
    }
  }
  EXPECT_EQ(complete, 1U) << "only the whole file has them all";
}

TEST(ElfSymbols, SurviveAnyByteOfTheirTablesSetToAnyExtreme) {
  const ElfBytes file = small_kernel().build();
  const std::uint64_t first = ElfBytes(file).section(2).sh_offset;
  for (std::uint64_t index = first; index < file.bytes().size(); ++index) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      ElfBytes spoiled = file;
      spoiled.writable_bytes()[index] = static_cast<std::byte>(value);
      const testing::GuardedBytes guarded(spoiled.bytes());
      const auto table = symbols_of(guarded.bytes());
      if (table) {
        EXPECT_LE(table->size(), 3U);
        EXPECT_LT(table->describe(GuestVirtAddr(0x10'0034)).size(), kMaxSymbolName);
      }
    }
  }
}

}  // namespace
}  // namespace nestling
