// The values of --rom, --alias and --hole: what they mean, and what is none.
#include "vmm/area_option.h"

#include <gtest/gtest.h>

namespace nestling {
namespace {

TEST(Quantity, IsDecimalOrHexadecimalWithAPowerOf1024BehindIt) {
  EXPECT_EQ(parse_quantity("0"), 0U);
  EXPECT_EQ(parse_quantity("4096"), 4096U);
  EXPECT_EQ(parse_quantity("0x200000"), 0x20'0000U);
  EXPECT_EQ(parse_quantity("64K"), 0x1'0000U);
  EXPECT_EQ(parse_quantity("0x10M"), 0x100'0000U);
  EXPECT_EQ(parse_quantity("3G"), 0xc000'0000U);
  EXPECT_EQ(parse_quantity("16383T"), 16383ULL << 40);
  EXPECT_EQ(parse_quantity("0xffffffffffffffff"), ~0ULL);
}

TEST(Quantity, IsNothingElse) {
  for (const char* text : {"", "K", "0x", "0xG", "-1", "1k", "1KB", " 1", "1 ", "one",
                           "0x10000000000000000", "17179869184G", "16777216T"}) {
    EXPECT_FALSE(parse_quantity(text)) << text;
  }
}

TEST(RomOption, IsAnAddressAndAPathThatMayHoldColons) {
  const auto rom = parse_rom("0xfff00000:/a:b");
  ASSERT_TRUE(rom);
  EXPECT_EQ(rom->address, GuestPhysAddr(0xfff0'0000));
  EXPECT_EQ(rom->path, "/a:b");
  for (const char* text : {"", "/file", "1M", "1M:", ":file", "x:file"}) {
    EXPECT_FALSE(parse_rom(text)) << text;
  }
}

TEST(AliasOption, IsAnAddressASourceAndASize) {
  const auto alias = parse_alias("4G:0x200000:2M");
  ASSERT_TRUE(alias);
  EXPECT_EQ(alias->range, GuestPhysRange::of(GuestPhysAddr(1ULL << 32), 0x20'0000));
  EXPECT_EQ(alias->source, GuestPhysAddr(0x20'0000));
  for (const char* text :
       {"", "4G", "4G:2M", "4G:2M:", "4G::2M", "4G:2M:2M:2M", "0xffffffffffffffff:0:2"}) {
    EXPECT_FALSE(parse_alias(text)) << text;
  }
}

TEST(HoleOption, IsAnAddressAndASize) {
  EXPECT_EQ(parse_hole("64M:8K"), GuestPhysRange::of(GuestPhysAddr(64 << 20), 0x2000));
  for (const char* text : {"", "64M", ":8K", "64M:", "64M:8K:1", "0xfffffffffffff000:0x1001"}) {
    EXPECT_FALSE(parse_hole(text)) << text;
  }
}

}  // namespace
}  // namespace nestling
