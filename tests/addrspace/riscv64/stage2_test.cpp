// Sv39x4 and Sv48x4 entries against the literals of the manual.
#include "addrspace/riscv64/stage2.h"

#include <gtest/gtest.h>

namespace nestling::riscv64 {
namespace {

// The frame number of this address is 0x124'0000, which the entry holds 10 bits up.
constexpr HostPhysAddr kFrame{0x12'4000'0000};
constexpr RawEntry kNumber = 0x4'9000'0000;

constexpr auto encoded(PageSize size, Access access, MemoryType type = MemoryType::kWriteBack) {
  return Sv39x4::encode_leaf({kFrame, size, access, type});
}

static_assert(encoded(PageSize::k4KiB, Access::all()) == (kNumber | 0xdf));
static_assert(encoded(PageSize::k4KiB, Access::read()) == (kNumber | 0xd3));
static_assert(encoded(PageSize::k4KiB, Access::read_write()) == (kNumber | 0xd7));
static_assert(encoded(PageSize::k1GiB, Access::execute()) == (kNumber | 0xd9));
static_assert(encoded(PageSize::k2MiB, Access::all(), MemoryType::kWriteCombining) ==
              (kNumber | 0x2000'0000'0000'00df));
static_assert(encoded(PageSize::k2MiB, Access::all(), MemoryType::kUncached) ==
              (kNumber | 0x4000'0000'0000'00df));
static_assert(encoded(PageSize::k2MiB, Access::all(), MemoryType::kDeviceNGnRe) ==
              (kNumber | 0x4000'0000'0000'00df));
static_assert(Sv39x4::encode_table(kFrame) == (kNumber | 0x01));
static_assert(Sv39x4::pointer(HostPhysAddr(0x8000'4000), 5) == 0x8000'5000'0008'0004);
static_assert(Sv48x4::pointer(HostPhysAddr(0x8000'4000), 0x3fff) == 0x93ff'f000'0008'0004);

TEST(SvX4, RefusesWriteWithoutRead) {
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::write()));
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::write() | Access::execute()));
  EXPECT_FALSE(Sv39x4::decode_leaf(kNumber | 0xd5, PageSize::k4KiB));
}

TEST(SvX4, RefusesTypesThatPbmtDoesNotHave) {
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteThrough));
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteProtected));
  EXPECT_FALSE(Sv39x4::decode_leaf(kNumber | 0x6000'0000'0000'00df, PageSize::k4KiB));
}

TEST(SvX4, DecodesNoPageWithoutUserAccess) {
  EXPECT_FALSE(Sv39x4::decode_leaf(kNumber | 0xcf, PageSize::k4KiB));
}

TEST(SvX4, RefusesARootThatIsNotAlignedTo16KiB) {
  EXPECT_FALSE(Sv39x4::pointer(HostPhysAddr(0x8000'1000), 0));
  EXPECT_FALSE(Sv39x4::pointer(HostPhysAddr(0x8000'4000), 0x4000));
}

}  // namespace
}  // namespace nestling::riscv64
