// The maps an address space draws: text line by line, and an SVG that is well formed and honest.
#include "addrspace/space_map.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;

std::size_t count_of(const std::string& text, std::string_view wanted) {
  std::size_t count = 0;
  for (std::size_t at = text.find(wanted); at != std::string::npos;
       at = text.find(wanted, at + 1)) {
    ++count;
  }
  return count;
}

TEST(ReadableSize, IsExactWhereItCanBe) {
  EXPECT_EQ(readable_size(0), "0 B");
  EXPECT_EQ(readable_size(1023), "1023 B");
  EXPECT_EQ(readable_size(4096), "4 KiB");
  EXPECT_EQ(readable_size(kMiB + kMiB / 2), "1.50 MiB");
  EXPECT_EQ(readable_size(100 * kGiB + kMiB), "100 GiB");
  EXPECT_EQ(readable_size(UINT64_MAX), "16.0 EiB");
}

TEST(TextMap, SaysThatThereIsNothing) { EXPECT_EQ(text_map(*SpaceFixture().space), "no areas\n"); }

TEST(TextMap, ListsAreasWithWhatIsResident) {
  const SpaceFixture fixture({.range = guest(0, 8 * kGiB)});
  AddressSpace& space = *fixture.space;
  ASSERT_TRUE(space.map_alloc(guest(kGiB, 2 * kGiB), Populate::kOnTouch, {.name = "ram"}));
  ASSERT_TRUE(space.map_linear(guest(0, 64 * 1024), HostPhysAddr(4 * kGiB),
                               {.name = "rom", .access = Access::read()}));
  ASSERT_TRUE(space.populate(guest(kGiB, kGiB + 2 * kMiB + kPageSize)));
  EXPECT_EQ(text_map(space),
            "     start        last    size  area  backend  access  type        resident  pages"
            "                frames\n"
            "       0x0      0xffff  64 KiB  rom   linear   r--     write-back     100 %  16x4K"
            "           0x100000000\n"
            "0x40000000  0xbfffffff   2 GiB  ram   alloc    rwx     write-back      50 %  1x1G "
            "1x2M 1x4K          0x0\n"
            "2 areas, 2.00 GiB mapped, 1.00 GiB resident (1x1G 1x2M 17x4K), EPT, 4 "
            "levels\n");
}

TEST(Dump, ShowsTheEntriesOfEachAreaUpToALimit) {
  const SpaceFixture fixture({.range = guest(0, kGiB)});
  AddressSpace& space = *fixture.space;
  ASSERT_TRUE(space.map_alloc(guest(0, 4 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  for (std::uint64_t i = 0; i < 8; ++i) {
    ASSERT_TRUE(space.populate(guest(2 * i * kPageSize, kPageSize)));
  }
  const std::string text = dump(space, 3);
  EXPECT_NE(text.find("    0x2000..0x2fff -> 0x2000  4K  rwx  write-back\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("    and 5 more runs\n"), std::string::npos) << text;
}

TEST(SvgMap, IsWellFormedWhateverAnAreaIsCalled) {
  const SpaceFixture fixture({.range = guest(0, kGiB)});
  ASSERT_TRUE(
      fixture.space->map_alloc(guest(0, kMiB), Populate::kNow, {.name = "<\"a\" & b>\x01"}));
  const std::string svg = svg_map(*fixture.space);
  EXPECT_EQ(svg.find("<svg "), 0U);
  EXPECT_NE(svg.find("&lt;&quot;a&quot; &amp; b&gt;?"), std::string::npos);
  EXPECT_EQ(count_of(svg, "<text"), count_of(svg, "</text>"));
  EXPECT_EQ(svg.substr(svg.size() - 7), "</svg>\n");
}

TEST(SvgMap, ColoursCellsByTheSizeOfTheirPages) {
  const SpaceFixture fixture({.range = guest(0, 8 * kMiB)});
  AddressSpace& space = *fixture.space;
  ASSERT_TRUE(space.map_alloc(guest(0, 8 * kMiB), Populate::kOnTouch, {.name = "ram"}));
  ASSERT_TRUE(space.populate(guest(2 * kMiB, 2 * kMiB + 24 * kPageSize)));
  const std::string svg = svg_map(space);
  EXPECT_NE(svg.find("one cell is 4 KiB"), std::string::npos);
  // The legend's one each, and what is in the strip: 512 cells of a 2 MiB page in six rows.
  EXPECT_GE(count_of(svg, "class=\"l\""), 6U);
  EXPECT_EQ(count_of(svg, "class=\"s\""), 2U);
  EXPECT_EQ(count_of(svg, "class=\"g\""), 1U);
}

TEST(SvgMap, StaysSmallFrom2MiBTo64GiBAndWithManyAreas) {
  for (const std::uint64_t size : {2 * kMiB, kGiB, 15 * kGiB}) {
    const SpaceFixture fixture({.range = guest(0, 64 * kGiB)});
    ASSERT_TRUE(fixture.space->map_alloc(guest(0, size), Populate::kOnTouch, {.name = "ram"}));
    for (std::uint64_t i = 0; i < 400; ++i) {
      ASSERT_TRUE(
          fixture.space->populate(guest(i * 7919 % (size / kPageSize) * kPageSize, kPageSize)));
    }
    const std::string svg = svg_map(*fixture.space);
    EXPECT_LT(svg.size(), 120'000U) << size;
    EXPECT_GT(svg.size(), 2'500U) << size;
  }
  const SpaceFixture many({.range = guest(0, kGiB)});
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(many.space->map_alloc(guest(2 * i * kPageSize, kPageSize), Populate::kOnTouch,
                                      {.name = "a"}));
  }
  EXPECT_NE(svg_map(*many.space).find("and 52 more areas"), std::string::npos);
}

}  // namespace
}  // namespace nestling
