// AArch64 stage-2 entries against the literals of the manual.
#include "addrspace/aarch64/stage2.h"

#include <gtest/gtest.h>

namespace nestling::aarch64 {
namespace {

using Format = Stage2FourLevels;

constexpr HostPhysAddr kFrame{0x12'4000'0000};

constexpr auto encoded(PageSize size, Access access, MemoryType type = MemoryType::kWriteBack) {
  return Format::encode_leaf({kFrame, size, access, type});
}

static_assert(Format::encode_leaf({HostPhysAddr(0), PageSize::k4KiB, Access::read_write(),
                                   MemoryType::kWriteBack}) == 0x0040'0000'0000'07ff);
static_assert(encoded(PageSize::k4KiB, Access::all()) == 0x12'4000'07ff);
static_assert(encoded(PageSize::k4KiB, Access::read()) == 0x0040'0012'4000'077f);
static_assert(encoded(PageSize::k4KiB, Access::write()) == 0x0040'0012'4000'07bf);
static_assert(encoded(PageSize::k2MiB, Access::all()) == 0x12'4000'07fd);
static_assert(encoded(PageSize::k1GiB, Access::read() | Access::execute()) == 0x12'4000'077d);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteThrough) == 0x12'4000'07eb);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteCombining) ==
              0x12'4000'04d7);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kUncached) == 0x12'4000'04c3);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kDeviceNGnRnE) == 0x12'4000'04c3);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kDeviceNGnRe) == 0x12'4000'04c7);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kDeviceNGre) == 0x12'4000'04cb);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kDeviceGre) == 0x12'4000'04cf);
static_assert(Format::encode_table(kFrame) == 0x12'4000'0003);
static_assert(Stage2ThreeLevels::kGpaBits == 40 && Stage2FourLevels::kGpaBits == 48);

TEST(AArch64Stage2, ReadsTheWriteBitTheRightWayRound) {
  const auto read_only = Format::decode_leaf(0x0040'0012'4000'077f, PageSize::k4KiB);
  const auto write_only = Format::decode_leaf(0x0040'0012'4000'07bf, PageSize::k4KiB);
  ASSERT_TRUE(read_only && write_only);
  EXPECT_TRUE(read_only->access == Access::read());
  EXPECT_TRUE(write_only->access == Access::write());
}

TEST(AArch64Stage2, DecodesEveryMemoryTypeWithoutComplaint) {
  EXPECT_EQ(Format::decode_leaf(0x12'4000'04d7, PageSize::k4KiB)->type,
            MemoryType::kWriteCombining);
  EXPECT_EQ(Format::decode_leaf(0x12'4000'04c3, PageSize::k4KiB)->type, MemoryType::kDeviceNGnRnE);
}

TEST(AArch64Stage2, RefusesWriteProtectedMemory) {
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteProtected));
}

TEST(AArch64Stage2, FindsBlocksOnlyWhereTheGranuleHasThem) {
  EXPECT_EQ(Format::kind(1, 0), EntryKind::kHole);
  EXPECT_EQ(Format::kind(1, 1), EntryKind::kLeaf);
  EXPECT_EQ(Format::kind(1, 2), EntryKind::kLeaf);
  EXPECT_EQ(Format::kind(1, 3), EntryKind::kHole);
  EXPECT_EQ(Format::kind(2, 1), EntryKind::kHole);
}

TEST(AArch64Stage2, DecodesNoEntryThatWouldFaultForItsAccessFlag) {
  EXPECT_FALSE(Format::decode_leaf(0x12'4000'03ff, PageSize::k4KiB));
}

TEST(AArch64Stage2, IgnoresTheDirtyAndContiguousHints) {
  EXPECT_EQ(Format::decode_leaf(0x0018'0012'4000'07ff, PageSize::k4KiB),
            (LeafEntry{kFrame, PageSize::k4KiB, Access::all(), MemoryType::kWriteBack}));
}

}  // namespace
}  // namespace nestling::aarch64
