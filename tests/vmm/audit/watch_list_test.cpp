// Watched ranges: how they are written, where a kernel's symbols are, and what hits them.
#include "vmm/audit/watch_list.h"

#include <gtest/gtest.h>

#include "boot/elf_image.h"
#include "boot/elf_symbols.h"
#include "tests/support/elf_builder.h"

namespace nestling {
namespace {

GuestPhysRange bytes(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

/// Without a kernel: `text` must give addresses.
WatchRange watched(std::string_view text) {
  const auto request = parse_watch(text);
  EXPECT_TRUE(request) << request.error().message;
  const auto range = locate(*request, {}, {});
  EXPECT_TRUE(range) << range.error().message;
  return *range;
}

TEST(WatchedRange, IsGivenByItsFirstAndLastByte) {
  const WatchRange range = watched("0x200000-0x2fffff:rw");
  EXPECT_EQ(range.range, bytes(0x20'0000, 0x10'0000));
  EXPECT_EQ(range.access, Access::read_write());
  EXPECT_EQ(range.text, "0x200000-0x2fffff:rw");
  EXPECT_EQ(watched("4096-4096:r").range, bytes(4096, 1));
  EXPECT_EQ(watched("0-0xfffffffffffffffe").range.size(), UINT64_MAX);
}

TEST(WatchedRange, IsGivenByItsStartAndSize) {
  EXPECT_EQ(watched("0x200000+0x1000:w").range, bytes(0x20'0000, 0x1000));
  EXPECT_EQ(watched("0x200000+0x1000:w").access, Access::write());
  EXPECT_EQ(watched("1048576+2M").range, bytes(1 << 20, 2 << 20));
  EXPECT_EQ(watched("0x1000+4K:r").access, Access::read());
  EXPECT_EQ(watched("0x1000+1G").access, Access::read_write());
}

TEST(WatchedRange, IsRefusedWithExamplesWhenItIsNone) {
  for (const char* const text : {"",
                                 ":",
                                 ":rw",
                                 "0x1000",
                                 "0x1000:rw",
                                 "0x1000-",
                                 "0x1000-0xfff",
                                 "0x1000+0",
                                 "0x1000+",
                                 "0x1000+1T",
                                 "0x1000+4K:x",
                                 "0x1000+4K:wr",
                                 "0x1000+4K:",
                                 "0xg+1",
                                 "1 +1",
                                 "+4",
                                 "name+0",
                                 "name+x",
                                 "name:execute",
                                 "0xffffffffffffffff+2",
                                 "0x1000+17179869184G",
                                 "0-0xffffffffffffffff"}) {
    const auto request = parse_watch(text);
    ASSERT_FALSE(request) << text;
    EXPECT_EQ(request.error().kind, ErrorKind::kUsage);
    EXPECT_NE(request.error().message.find("is no range to watch: give 0x200000-0x200fff:rw"),
              std::string::npos)
        << request.error().message;
  }
}

TEST(WatchedRange, TakesColonsOfACppNameForPartsOfIt) {
  const auto whole = parse_watch("guest::kit::table");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->symbol, "guest::kit::table");
  EXPECT_EQ(whole->access, Access::read_write());
  const auto part = parse_watch("guest::kit::table+8:w");
  ASSERT_TRUE(part);
  EXPECT_EQ(part->symbol, "guest::kit::table");
  EXPECT_EQ(part->size, 8U);
  EXPECT_EQ(part->access, Access::write());
  EXPECT_EQ(parse_watch("kit::r")->symbol, "kit::r");
}

/// A kernel linked 1 GiB above where it is loaded, at 1 MiB.
class WatchedSymbol : public testing::Test {
 protected:
  WatchedSymbol() : file_(build()) {
    auto parsed = parse_elf_image(file_.bytes());
    EXPECT_TRUE(parsed) << parsed.error().message;
    image_ = *std::move(parsed);
    auto symbols = read_symbols(image_);
    EXPECT_TRUE(symbols);
    symbols_ = *std::move(symbols);
  }

  static ElfBytes build() {
    ElfBuilder builder;
    Elf64_Phdr header{};
    header.p_type = PT_LOAD;
    header.p_flags = PF_R | PF_W | PF_X;
    header.p_vaddr = kLinked;
    header.p_paddr = 0x10'0000;
    header.p_memsz = 0x2000;
    builder.add_program_header(header, counting_bytes(0x1000));
    builder.set_entry(kLinked);
    builder.add_symbol("counter", {kLinked + 0x10, 8, STT_OBJECT});
    builder.add_symbol("_ZN5guest5tableE", {kLinked + 0x1800, 0x800, STT_OBJECT});
    builder.add_symbol("_ZN5guest4initEv", {kLinked + 0x100, 0x20, STT_FUNC});
    builder.add_symbol("label", {kLinked + 0x200, 0, STT_NOTYPE});
    builder.add_symbol("twice", {kLinked + 0x300, 4, STT_OBJECT});
    builder.add_symbol("twice", {kLinked + 0x400, 4, STT_OBJECT});
    builder.add_symbol("elsewhere", {0x1234, 4, STT_OBJECT});
    return builder.build();
  }

  [[nodiscard]] Result<WatchRange> locate(std::string_view text) const {
    const auto request = parse_watch(text);
    EXPECT_TRUE(request) << text;
    return nestling::locate(*request, image_, symbols_);
  }
  [[nodiscard]] std::string complaint(std::string_view text) const {
    const auto range = locate(text);
    EXPECT_FALSE(range) << text;
    return range ? "" : range.error().message;
  }

  static constexpr std::uint64_t kLinked = 0x4010'0000;

  ElfBytes file_;
  Image image_;
  SymbolTable symbols_;
};

TEST_F(WatchedSymbol, IsWhereTheKernelIsLoaded) {
  EXPECT_EQ(locate("counter:w")->range, bytes(0x10'0010, 8));
  EXPECT_EQ(locate("counter+2:w")->range, bytes(0x10'0010, 2));
  EXPECT_EQ(locate("label+4")->range, bytes(0x10'0200, 4));
}

TEST_F(WatchedSymbol, MayBeACppNameWithOrWithoutParameters) {
  EXPECT_EQ(locate("guest::table:r")->range, bytes(0x10'1800, 0x800));
  EXPECT_EQ(locate("_ZN5guest5tableE")->range, bytes(0x10'1800, 0x800));
  EXPECT_EQ(locate("guest::init")->range, bytes(0x10'0100, 0x20));
  EXPECT_EQ(locate("guest::init()")->range, bytes(0x10'0100, 0x20));
}

TEST_F(WatchedSymbol, IsRefusedWithTheReason) {
  EXPECT_EQ(complaint("nobody:w"), "--watch nobody:w: the kernel has no such symbol");
  EXPECT_EQ(complaint("label"), "--watch label: the symbol says no size: give SYMBOL+SIZE");
  EXPECT_EQ(complaint("twice"),
            "--watch twice: 2 symbols have this name, at 0x40100300 and 0x40100400 for two: give "
            "one's address");
  EXPECT_EQ(complaint("elsewhere"),
            "--watch elsewhere: 0x1234, with 0x4 bytes, is not in memory that the kernel's file is "
            "loaded to");
  EXPECT_EQ(complaint("guest::table+0x801"),
            "--watch guest::table+0x801: 0x40101800, with 0x801 bytes, is not in memory that the "
            "kernel's file is loaded to");
  const auto request = parse_watch("counter");
  EXPECT_EQ(nestling::locate(*request, image_, {}).error().message,
            "--watch counter: the kernel has no symbols: give addresses");
}

TEST(WatchList, IsHitByOneByteInCommonAndARightInCommon) {
  const WatchList list({{bytes(0x1000, 0x10), Access::write(), "first"},
                        {bytes(0x100c, 0x10), Access::read(), "second"}});
  const auto hit = [&](GuestPhysRange accessed, Access access) {
    const WatchRange* const range = list.hit_by(accessed, access);
    return range == nullptr ? "none" : range->text;
  };
  EXPECT_EQ(hit(bytes(0xff8, 8), Access::write()), "none");
  EXPECT_EQ(hit(bytes(0xff9, 8), Access::write()), "first");
  EXPECT_EQ(hit(bytes(0x100f, 1), Access::write()), "first");
  EXPECT_EQ(hit(bytes(0x1010, 1), Access::write()), "none");
  EXPECT_EQ(hit(bytes(0x1000, 1), Access::read()), "none");
  EXPECT_EQ(hit(bytes(0x100f, 1), Access::read()), "second");
  EXPECT_EQ(hit(bytes(0x100f, 1), Access::read_write()), "first");
  EXPECT_EQ(hit(bytes(0x100f, 1), Access::execute()), "none");
  EXPECT_EQ(hit(bytes(0x100f, 0), Access::write()), "none");
  EXPECT_EQ(hit(bytes(0, UINT64_MAX), Access::read_write()), "first");
}

TEST(WatchList, ExplainsWhyCodeAndPageTablesCannotBeInATrappedPage) {
  const WatchList list({{bytes(0x1ff8, 0x10), Access::read_write(), "edge:rw"},
                        {bytes(0x5000, 4), Access::write(), "writes:w"}});
  const std::vector<GuestPhysAddr> path = {GuestPhysAddr(0x5000), GuestPhysAddr(0x2abc)};
  EXPECT_EQ(list.obstacle_on(path),
            "; --watch edge:rw traps reads of the page at 0x2000, and KVM neither runs code nor "
            "walks page tables in such a page: watch writes only, or less of it");
  EXPECT_EQ(list.obstacle_on(std::span(path).first(1)), "");
  EXPECT_EQ(list.obstacle_on({}), "");
}

TEST(WatchList, IsHitByNothingWhenEmpty) {
  EXPECT_TRUE(WatchList().is_empty());
  EXPECT_EQ(WatchList().hit_by(bytes(0, UINT64_MAX), Access::all()), nullptr);
}

}  // namespace
}  // namespace nestling
