// Where RAM stands on arm64, and which sizes are impossible.
#include "boot/aarch64/ram_layout.h"

#include <gtest/gtest.h>

namespace nestling::aarch64 {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

GuestPhysRange range(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

using Ranges = std::vector<GuestPhysRange>;

TEST(RamLayoutOfArm64, StartsBehindTheDevices) {
  EXPECT_EQ(ram_ranges(0x1000).value(), Ranges{range(kGiB, 0x1000)});
  EXPECT_EQ(ram_ranges(128ULL << 20).value(), Ranges{range(kGiB, 128ULL << 20)});
}

TEST(RamLayoutOfArm64, GoesOnAt4GiBBehindTheDevicesOfEveryArchitecture) {
  EXPECT_EQ(ram_ranges(2 * kGiB).value(), Ranges{range(kGiB, 2 * kGiB)});
  EXPECT_EQ(ram_ranges(2 * kGiB + 0x1000).value(),
            (Ranges{range(kGiB, 2 * kGiB), range(4 * kGiB, 0x1000)}));
  EXPECT_EQ(ram_ranges(64 * kGiB).value(),
            (Ranges{range(kGiB, 2 * kGiB), range(4 * kGiB, 62 * kGiB)}));
}

TEST(RamLayoutOfArm64, EndsWhereTheArchitecturesAddressesDo) {
  constexpr std::uint64_t kMaxRamSize = (1ULL << 48) - 2 * kGiB;
  EXPECT_EQ(most_ram(48), kMaxRamSize);
  EXPECT_EQ(most_ram(52), kMaxRamSize);
  const auto largest = ram_ranges(kMaxRamSize);
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->back().last(), GuestPhysAddr((1ULL << 48) - 1));
  const auto larger = ram_ranges(kMaxRamSize + 0x1000);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().kind, ErrorKind::kUsage);
  EXPECT_FALSE(ram_ranges(~0ULL - 0xfff));
}

TEST(RamLayoutOfArm64, EndsWhereTheHostsAddressesDo) {
  EXPECT_EQ(most_ram(32), 2 * kGiB);
  EXPECT_EQ(most_ram(36), 62 * kGiB);
  EXPECT_EQ(most_ram(40), 1022 * kGiB);
  const auto largest = ram_ranges(1022 * kGiB, 40);
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->back().last(), GuestPhysAddr((1ULL << 40) - 1));
  const auto larger = ram_ranges(1023 * kGiB, 40);
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(larger.error().message,
            "memory size 0xffc0000000 bytes: this host gives guests 40 bits of physical address, "
            "which hold 1022 GiB of RAM beside the devices: pass --memory 1022G or less");
}

TEST(RamLayoutOfArm64, RefusesNoneAndPartsOfPages) {
  for (const std::uint64_t size : {0ULL, 1ULL, 4097ULL, ~0ULL}) {
    const auto ranges = ram_ranges(size);
    ASSERT_FALSE(ranges) << size;
    EXPECT_EQ(ranges.error().kind, ErrorKind::kUsage);
    EXPECT_NE(ranges.error().message.find(fmt::format("memory size {}", size)), std::string::npos);
  }
}

}  // namespace
}  // namespace nestling::aarch64
