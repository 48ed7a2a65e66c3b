// EPT entries against the literals of the manual.
#include "addrspace/x86_64/ept.h"

#include <gtest/gtest.h>

namespace nestling::x86_64 {
namespace {

using Format = Ept<4>;
using WithExecuteOnly = Ept<4, ExecuteOnly::kAllowed>;

constexpr HostPhysAddr kFrame{0x12'4000'0000};
constexpr Access kReadExecute = Access::read() | Access::execute();

constexpr auto encoded(PageSize size, Access access, MemoryType type = MemoryType::kWriteBack) {
  return Format::encode_leaf({kFrame, size, access, type});
}

static_assert(encoded(PageSize::k4KiB, Access::read()) == 0x12'4000'0031);
static_assert(encoded(PageSize::k4KiB, Access::read_write()) == 0x12'4000'0033);
static_assert(encoded(PageSize::k4KiB, kReadExecute) == 0x12'4000'0035);
static_assert(encoded(PageSize::k4KiB, Access::all()) == 0x12'4000'0037);
static_assert(encoded(PageSize::k2MiB, Access::read_write()) == 0x12'4000'00b3);
static_assert(encoded(PageSize::k1GiB, Access::all()) == 0x12'4000'00b7);
static_assert(encoded(PageSize::k4KiB, Access::read_write(), MemoryType::kUncached) ==
              0x12'4000'0003);
static_assert(encoded(PageSize::k4KiB, Access::read_write(), MemoryType::kWriteCombining) ==
              0x12'4000'000b);
static_assert(encoded(PageSize::k4KiB, Access::read_write(), MemoryType::kWriteThrough) ==
              0x12'4000'0023);
static_assert(encoded(PageSize::k4KiB, Access::read_write(), MemoryType::kWriteProtected) ==
              0x12'4000'002b);
static_assert(encoded(PageSize::k4KiB, Access::read_write(), MemoryType::kDeviceNGnRnE) ==
              0x12'4000'0003);
static_assert(Format::encode_table(kFrame) == 0x12'4000'0007);
static_assert(Format::pointer(HostPhysAddr(0x5000)) == 0x501e);
static_assert(Ept<5>::pointer(HostPhysAddr(0x5000)) == 0x5026);
static_assert(!Format::pointer(HostPhysAddr(0x5008)));

TEST(Ept, RefusesWriteWithoutRead) {
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::write()));
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::write() | Access::execute()));
  EXPECT_FALSE(WithExecuteOnly::encode_leaf(
      {kFrame, PageSize::k4KiB, Access::write() | Access::execute(), MemoryType::kWriteBack}));
}

TEST(Ept, AllowsExecuteOnlyWhereTheProcessorDoes) {
  const LeafEntry leaf = {kFrame, PageSize::k2MiB, Access::execute(), MemoryType::kWriteBack};
  EXPECT_FALSE(Format::encode_leaf(leaf));
  EXPECT_FALSE(Format::decode_leaf(0x12'4000'00b4, PageSize::k2MiB));
  EXPECT_EQ(WithExecuteOnly::encode_leaf(leaf), 0x12'4000'00b4);
  EXPECT_EQ(WithExecuteOnly::decode_leaf(0x12'4000'00b4, PageSize::k2MiB), leaf);
}

TEST(Ept, DecodesNothingThatIsMisconfigured) {
  for (const unsigned type : {2U, 3U, 7U}) {
    EXPECT_FALSE(Format::decode_leaf(kFrame.value() | RawEntry{type} << 3 | 7, PageSize::k4KiB))
        << type;
  }
  EXPECT_FALSE(Format::decode_leaf(kFrame.value() | 0x32, PageSize::k4KiB)) << "W without R";
  EXPECT_FALSE(Format::decode_leaf(0x0010'00b7, PageSize::k2MiB)) << "bit 20 of a 2 MiB page";
  EXPECT_FALSE(Format::decode_leaf(0x2000'00b7, PageSize::k1GiB)) << "bit 29 of a 1 GiB page";
  EXPECT_FALSE(Format::decode_leaf(kFrame.value() | 0x37, PageSize::k2MiB)) << "without bit 7";
}

TEST(Ept, IgnoresAccessedAndDirtyFlags) {
  const auto leaf = Format::decode_leaf(kFrame.value() | 0x333, PageSize::k4KiB);
  ASSERT_TRUE(leaf);
  EXPECT_TRUE(leaf->access == Access::read_write());
  EXPECT_EQ(leaf->frame, kFrame);
}

}  // namespace
}  // namespace nestling::x86_64
