// Extra areas: what is left of RAM, what is refused and why, and what the guest will find there.
#include "vmm/memory/area_plan.h"

#include <gtest/gtest.h>

#include "addrspace/space_memory.h"
#include "tests/support/space_fixture.h"
#include "tests/support/temporary_folder.h"

namespace nestling::testing {
namespace {

using Ranges = std::vector<GuestPhysRange>;

constexpr GuestPhysRange kSpace = GuestPhysRange::of(GuestPhysAddr(0), 1ULL << 40);

class Plan : public ::testing::Test {
 protected:
  Plan() { folder_.write("rom", std::string(0x1801, 'r')); }

  [[nodiscard]] Result<AreaPlan> plan(const ExtraAreas& extra) const {
    return plan_areas(ram_, extra, kSpace);
  }
  /// The message with which `extra` is refused as `kind`.
  std::string refusal(const ExtraAreas& extra, ErrorKind kind = ErrorKind::kUsage) {
    const auto refused = plan(extra);
    if (refused) {
      ADD_FAILURE() << "accepted";
      return {};
    }
    EXPECT_EQ(refused.error().kind, kind) << refused.error().message;
    return refused.error().message;
  }
  [[nodiscard]] RomSpec rom(std::uint64_t address) const {
    return {GuestPhysAddr(address), folder_.file("rom")};
  }

  TemporaryFolder folder_;
  Ranges ram_ = {guest(0, 64 * kMiB), guest(4 * kGiB, 64 * kMiB)};
};

AliasSpec alias(GuestPhysRange range, std::uint64_t source) {
  return {range, GuestPhysAddr(source)};
}

TEST_F(Plan, IsAllRamWithoutExtraAreas) {
  const auto plain = plan({});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->ram, ram_);
  EXPECT_TRUE(plain->claims().empty());
}

TEST_F(Plan, CutsHolesOutOfRam) {
  ExtraAreas extra;
  extra.holes = {guest(0, 0x1000), guest(kMiB, 0x2000), guest(63 * kMiB, kMiB),
                 guest(4 * kGiB, 64 * kMiB)};
  const auto cut = plan(extra);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->ram,
            (Ranges{guest(0x1000, kMiB - 0x1000), guest(kMiB + 0x2000, 62 * kMiB - 0x2000)}));
  EXPECT_TRUE(cut->claims().empty()) << "a hole is nothing";
}

TEST_F(Plan, PutsRomsAndAliasesIntoRamOrBesideIt) {
  ExtraAreas extra;
  extra.roms = {rom(2 * kMiB), rom(kGiB)};
  extra.aliases = {alias(guest(64 * kMiB - 0x1000, 0x2000), 0x10'0000)};
  const auto plan = this->plan(extra);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->ram, (Ranges{guest(0, 2 * kMiB), guest(2 * kMiB + 0x2000, 62 * kMiB - 0x3000),
                               guest(4 * kGiB, 64 * kMiB)}));
  const auto claims = plan->claims();
  ASSERT_EQ(claims.size(), 3U);
  EXPECT_EQ(claims[0].range, guest(2 * kMiB, 0x2000));
  EXPECT_EQ(claims[0].kind, MemoryKind::kRom);
  EXPECT_EQ(claims[2].range, guest(64 * kMiB - 0x1000, 0x2000));
  EXPECT_EQ(claims[2].kind, MemoryKind::kReserved);
  EXPECT_EQ(plan->rom_ranges(), (Ranges{guest(2 * kMiB, 0x2000), guest(kGiB, 0x2000)}));
}

TEST_F(Plan, RefusesMisalignedEmptyAndFarRanges) {
  const auto of_hole = [&](GuestPhysRange range) {
    ExtraAreas extra;
    extra.holes = {range};
    return refusal(extra);
  };
  EXPECT_EQ(of_hole(guest(0x1800, 0x1000)),
            "--hole 0x1800:0x1000: address 0x1800 is no multiple of 0x1000");
  EXPECT_EQ(of_hole(guest(0x1000, 0x800)),
            "--hole 0x1000:0x800: size 0x800 is no multiple of 0x1000, or 0");
  EXPECT_EQ(of_hole(guest(0x1000, 0)),
            "--hole 0x1000:0x0: size 0x0 is no multiple of 0x1000, or 0");
  ExtraAreas far;
  far.aliases = {alias(guest((1ULL << 40) - 0x1000, 0x2000), 0)};
  EXPECT_NE(refusal(far).find("reaches beyond 0xffffffffff"), std::string::npos);
}

TEST_F(Plan, RefusesHolesOutsideRam) {
  ExtraAreas extra;
  extra.holes = {guest(64 * kMiB - 0x1000, 0x2000)};
  EXPECT_NE(refusal(extra).find("not all of 0x3fff000-0x4000fff is RAM (0x0-0x3ffffff, "),
            std::string::npos)
      << refusal(extra);
}

TEST_F(Plan, RefusesOverlaps) {
  ExtraAreas extra;
  extra.holes = {guest(kMiB, 0x2000)};
  extra.roms = {rom(kMiB + 0x1000)};
  EXPECT_NE(refusal(extra).find("overlaps --hole 0x100000:0x2000"), std::string::npos)
      << refusal(extra);
  ExtraAreas twice;
  twice.holes = {guest(kMiB, 0x2000), guest(kMiB, 0x1000)};
  EXPECT_NE(refusal(twice).find("overlaps --hole"), std::string::npos) << refusal(twice);
}

TEST_F(Plan, RefusesAliasesOfWhatIsNoRam) {
  const auto of_source = [&](std::uint64_t source) {
    ExtraAreas extra;
    extra.holes = {guest(kMiB, 0x1000)};
    extra.aliases = {alias(guest(kGiB, 0x2000), source)};
    return refusal(extra);
  };
  for (const std::uint64_t source : {64 * kMiB - 0x1000, std::uint64_t{kGiB}, std::uint64_t{kMiB},
                                     kMiB - 0x1000, std::uint64_t{0x800}, ~std::uint64_t{0xfff}}) {
    EXPECT_NE(of_source(source).find("is not in one piece of RAM"), std::string::npos) << source;
  }
  ExtraAreas itself;
  itself.aliases = {alias(guest(kMiB, 0x2000), kMiB + 0x1000)};
  EXPECT_NE(refusal(itself).find("is not in one piece of RAM"), std::string::npos);
}

TEST_F(Plan, RefusesFilesThatAreNoneAndRamThatIsAllGone) {
  ExtraAreas missing;
  missing.roms = {{GuestPhysAddr(kGiB), folder_.file("missing")}};
  EXPECT_NE(refusal(missing, ErrorKind::kNoInput).find("missing: No such file"), std::string::npos);
  folder_.write("empty", "");
  ExtraAreas empty;
  empty.roms = {{GuestPhysAddr(kGiB), folder_.file("empty")}};
  EXPECT_NE(refusal(empty).find("the file is empty"), std::string::npos);
  ExtraAreas everything;
  everything.holes = ram_;
  EXPECT_NE(refusal(everything).find("leave no RAM"), std::string::npos);
}

TEST_F(Plan, RefusesRomsAndAliasesOverDevices) {
  ExtraAreas extra;
  extra.roms = {rom(0xd000'0000)};
  const auto plan = this->plan(extra);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(check_areas_against(*plan, Ranges{guest(0xd000'2000, 4)}));
  const auto refused = check_areas_against(*plan, Ranges{guest(0x1000, 4), guest(0xd000'1000, 4)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(refused.error().message,
            "the ROM at 0xd0000000-0xd0001fff overlaps a device at 0xd0001000-0xd0001003");
}

TEST_F(Plan, MapsRomsReadOnlyWithTheirFilesBytesAndAliasesOverTheSameFrames) {
  ExtraAreas extra;
  extra.roms = {rom(kGiB)};
  extra.aliases = {alias(guest(2 * kGiB, 0x3000), kMiB)};
  const auto plan = this->plan(extra);
  ASSERT_TRUE(plan);
  SpaceFixture fixture;
  for (const GuestPhysRange& range : plan->ram) {
    ASSERT_TRUE(fixture.space->map_alloc(range, Populate::kOnTouch, {.name = "ram"}));
  }
  ASSERT_TRUE(map_extra_areas(*plan, *fixture.space));

  SpaceMemory memory(*fixture.space, {});
  EXPECT_EQ(memory.read_object<char>(GuestPhysAddr(kGiB + 0x1800)).value(), 'r');
  EXPECT_EQ(memory.read_object<char>(GuestPhysAddr(kGiB + 0x1801)).value(), '\0');
  EXPECT_EQ(memory.write_object(GuestPhysAddr(kGiB), 'w').error().reason,
            MemoryFault::Reason::kDenied);
  EXPECT_EQ(fixture.space->query(GuestPhysAddr(kGiB)).value().area, "rom");
  ASSERT_TRUE(memory.write_object(GuestPhysAddr(2 * kGiB + 0x2ff8), std::uint64_t{7}));
  EXPECT_EQ(memory.read_object<std::uint64_t>(GuestPhysAddr(kMiB + 0x2ff8)).value(), 7U);
  EXPECT_EQ(fixture.space->translate(GuestPhysAddr(2 * kGiB)).value(),
            fixture.space->translate(GuestPhysAddr(kMiB)).value());
  EXPECT_FALSE(fixture.space->defect());
}

}  // namespace
}  // namespace nestling::testing
