// AMD nested entries against the literals of the manual.
#include "addrspace/x86_64/amd_nested.h"

#include <gtest/gtest.h>

namespace nestling::x86_64 {
namespace {

using Format = AmdNested<4>;

constexpr HostPhysAddr kFrame{0x12'4000'0000};

constexpr auto encoded(PageSize size, Access access, MemoryType type = MemoryType::kWriteBack) {
  return Format::encode_leaf({kFrame, size, access, type});
}

static_assert(encoded(PageSize::k4KiB, Access::read()) == 0x8000'0012'4000'0005);
static_assert(encoded(PageSize::k4KiB, Access::read_write()) == 0x8000'0012'4000'0007);
static_assert(encoded(PageSize::k4KiB, Access::read() | Access::execute()) == 0x12'4000'0005);
static_assert(encoded(PageSize::k4KiB, Access::all()) == 0x12'4000'0007);
static_assert(encoded(PageSize::k2MiB, Access::all()) == 0x12'4000'0087);
static_assert(encoded(PageSize::k1GiB, Access::read()) == 0x8000'0012'4000'0085);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kUncached) == 0x12'4000'001f);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kDeviceNGnRnE) == 0x12'4000'001f);
static_assert(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteThrough) == 0x12'4000'000f);
static_assert(Format::encode_table(kFrame) == 0x12'4000'0007);

TEST(AmdNested, RefusesAccessWithoutRead) {
  for (const Access access :
       {Access::write(), Access::execute(), Access::write() | Access::execute()}) {
    EXPECT_FALSE(encoded(PageSize::k4KiB, access));
  }
}

TEST(AmdNested, RefusesTypesThatThePatDoesNotHold) {
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteCombining));
  EXPECT_FALSE(encoded(PageSize::k4KiB, Access::all(), MemoryType::kWriteProtected));
}

TEST(AmdNested, DecodesNoSupervisorPage) {
  EXPECT_FALSE(Format::decode_leaf(0x12'4000'0003, PageSize::k4KiB));
}

TEST(AmdNested, DecodesNoMisalignedHugePage) {
  EXPECT_FALSE(Format::decode_leaf(0x0010'0087, PageSize::k2MiB));
  EXPECT_FALSE(Format::decode_leaf(0x2000'0087, PageSize::k1GiB));
}

TEST(AmdNested, IgnoresAccessedAndDirtyFlags) {
  EXPECT_EQ(Format::decode_leaf(0x12'4000'0067, PageSize::k4KiB),
            (LeafEntry{kFrame, PageSize::k4KiB, Access::all(), MemoryType::kWriteBack}));
}

}  // namespace
}  // namespace nestling::x86_64
