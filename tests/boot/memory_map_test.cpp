// The memory map: complete, ascending, disjoint, and the earlier claim wins.
#include "boot/memory_map.h"

#include <random>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using Kind = MemoryKind;

GuestPhysRange range(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

TEST(MemoryMap, IsEmptyWithoutRam) { EXPECT_TRUE(make_memory_map({}, {}).empty()); }

TEST(MemoryMap, IsAllUsableWithoutClaims) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x10'0000), range(0x1'0000'0000, 0x20'0000)};
  const std::vector<MemoryMapEntry> expected = {{0, 0x10'0000, Kind::kUsable, 0},
                                                {0x1'0000'0000, 0x20'0000, Kind::kUsable, 0}};
  EXPECT_EQ(make_memory_map(ram, {}), expected);
}

TEST(MemoryMap, WidensClaimsToPagesAndJoinsNeighbours) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x8000)};
  const std::vector<MemoryClaim> claims = {{range(0x2001, 0x1000), Kind::kImage},
                                           {range(0x4000, 1), Kind::kImage},
                                           {range(0x6000, 0), Kind::kBoot}};
  const std::vector<MemoryMapEntry> expected = {{0, 0x2000, Kind::kUsable, 0},
                                                {0x2000, 0x3000, Kind::kImage, 0},
                                                {0x5000, 0x3000, Kind::kUsable, 0}};
  EXPECT_EQ(make_memory_map(ram, claims), expected);
}

TEST(MemoryMap, LetsTheEarlierClaimWin) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x4000)};
  const std::vector<MemoryClaim> claims = {{range(0x1000, 0x1000), Kind::kBoot},
                                           {range(0, 0x3000), Kind::kImage}};
  const std::vector<MemoryMapEntry> expected = {{0, 0x1000, Kind::kImage, 0},
                                                {0x1000, 0x1000, Kind::kBoot, 0},
                                                {0x2000, 0x1000, Kind::kImage, 0},
                                                {0x3000, 0x1000, Kind::kUsable, 0}};
  EXPECT_EQ(make_memory_map(ram, claims), expected);
}

TEST(MemoryMap, ListsClaimsOutsideRamUpToTheTop) {
  const std::vector<GuestPhysRange> ram = {range(0, 0x1000)};
  const std::vector<MemoryClaim> claims = {{range(0xffff'ffff'ffff'f000, 0x1000), Kind::kReserved}};
  const std::vector<MemoryMapEntry> expected = {
      {0, 0x1000, Kind::kUsable, 0}, {0xffff'ffff'ffff'f000, 0x1000, Kind::kReserved, 0}};
  EXPECT_EQ(make_memory_map(ram, claims), expected);
}

/// What page `number` should be, by the definition.
std::optional<Kind> expected_kind(std::uint64_t number, std::span<const GuestPhysRange> ram,
                                  std::span<const MemoryClaim> claims) {
  const GuestPhysRange page = range(number * kPageSize, kPageSize);
  for (const MemoryClaim& claim : claims) {
    if (claim.range.overlaps(page)) {
      return claim.kind;
    }
  }
  for (const GuestPhysRange& each : ram) {
    if (each.contains(page)) {
      return Kind::kUsable;
    }
  }
  return std::nullopt;
}

TEST(MemoryMap, AgreesWithItsDefinitionOnEveryPageOfRandomMachines) {
  constexpr std::uint64_t kPages = 64;
  std::mt19937_64 random(2026);  // NOLINT(bugprone-random-generator-seed): repeatable on purpose
  for (int round = 0; round < 300; ++round) {
    const std::vector<GuestPhysRange> ram = {
        range(0, (1 + random() % 20) * kPageSize),
        range(30 * kPageSize, (1 + random() % 30) * kPageSize)};
    std::vector<MemoryClaim> claims(random() % 6);
    for (MemoryClaim& claim : claims) {
      claim.range = range(random() % (50 * kPageSize), random() % (10 * kPageSize));
      claim.kind = static_cast<Kind>(2 + random() % 3);
    }
    const auto map = make_memory_map(ram, claims);
    EXPECT_LE(map.size(), 2 * (ram.size() + claims.size()));
    std::vector<std::optional<Kind>> kinds(kPages);
    std::uint64_t end = 0;
    for (const MemoryMapEntry& entry : map) {
      ASSERT_GE(entry.start, end) << "ascending and disjoint, round " << round;
      end = entry.start + entry.size;
      for (std::uint64_t page = entry.start / kPageSize; page < end / kPageSize; ++page) {
        kinds.at(page) = entry.kind;
      }
    }
    for (std::uint64_t page = 0; page < kPages; ++page) {
      ASSERT_EQ(kinds.at(page), expected_kind(page, ram, claims))
          << "page " << page << ", round " << round;
    }
  }
}

}  // namespace
}  // namespace nestling
