// Every allocation of every operation fails once: nothing may change, and nothing may leak.
#include <functional>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;

using Prepare = std::function<void(SpaceFixture&)>;
using Operate = std::function<Result<void, SpaceError>(SpaceFixture&)>;

struct Operation {
  std::string_view name;
  Prepare prepare;
  Operate operate;
  bool takes_frames = true;
  bool changes_areas = true;
};

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << operation.name;
}

/// A huge area, a partly populated one and a linear one; enough small ones for a deep area tree.
void furnish(SpaceFixture& fixture) {
  AddressSpace& space = *fixture.space;
  const AreaOptions ram{.name = "ram"};
  ASSERT_TRUE(space.map_alloc(guest(kGiB, kGiB), Populate::kNow, ram));
  ASSERT_TRUE(space.map_alloc(guest(4 * kGiB, 8 * kMiB), Populate::kOnTouch, ram));
  ASSERT_TRUE(space.populate(guest(4 * kGiB + kPageSize, 3 * kMiB)));
  ASSERT_TRUE(space.map_linear(guest(6 * kGiB, 4 * kMiB), fixture.frames(PageSize::k2MiB, 2), ram));
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(
        space.map_alloc(guest(8 * kGiB + 2 * i * kPageSize, kPageSize), Populate::kOnTouch, ram));
  }
}

class EveryOperation : public ::testing::TestWithParam<Operation> {
 protected:
  /// Runs the operation in a furnished space that `starve` then limits, the more generously the
  /// larger its second argument, until it succeeds. At least `failures` times it must not.
  static void starve_until_it_succeeds(
      const std::function<void(SpaceFixture&, std::uint64_t)>& starve, SpaceError::Reason reason,
      std::uint64_t& failures) {
    failures = 0;
    for (std::uint64_t allowed = 0;; ++allowed) {
      SpaceFixture fixture({.range = guest(0, 16 * kGiB)});
      furnish(fixture);
      GetParam().prepare(fixture);
      if (HasFatalFailure()) {
        return;
      }
      starve(fixture, allowed);
      const auto before = fixture.snapshot();
      const auto result = GetParam().operate(fixture);
      ASSERT_EQ(fixture.space->defect(), std::nullopt) << "with " << allowed;
      if (result) {
        return;
      }
      ++failures;
      ASSERT_TRUE(result.error().reason == reason ||
                  result.error().reason == SpaceError::Reason::kOutOfMemory)
          << describe(result.error());
      ASSERT_EQ(fixture.snapshot(), before) << "changed with " << allowed;
      fixture.pool->set_limit(UINT64_MAX);
      fixture.space->set_area_node_limit(SIZE_MAX);
      ASSERT_TRUE(GetParam().operate(fixture)) << "cannot be repeated with enough memory";
      fixture.space.reset();
      ASSERT_EQ(fixture.pool->statistics().committed, 4 * kMiB) << "leaked with " << allowed;
      ASSERT_EQ(fixture.pool->statistics().reserved, 4 * kMiB) << "leaked with " << allowed;
      ASSERT_LT(allowed, 3000U) << "never succeeds";
    }
  }
};

TEST_P(EveryOperation, ChangesNothingWhicheverFrameThePoolRefuses) {
  std::uint64_t failures = 0;
  starve_until_it_succeeds(
      [](SpaceFixture& fixture, std::uint64_t allowed) {
        // Large operations need thousands of frames: go up in larger steps where it is only more
        // of the same.
        const std::uint64_t frames = allowed < 24 ? allowed : 24 + (allowed - 24) * 97;
        fixture.pool->set_limit(fixture.pool->statistics().committed + frames * kPageSize);
      },
      SpaceError::Reason::kOutOfTables, failures);
  EXPECT_GE(failures, GetParam().takes_frames ? 1U : 0U);
}

TEST_P(EveryOperation, ChangesNothingWhicheverNodeOfTheAreaTreeIsMissing) {
  std::uint64_t failures = 0;
  starve_until_it_succeeds(
      [](SpaceFixture& fixture, std::uint64_t allowed) {
        fixture.space->set_area_node_limit(fixture.space->statistics().area_nodes + allowed);
      },
      SpaceError::Reason::kOutOfNodes, failures);
  // Every change of an area copies at least a leaf and the root.
  EXPECT_GE(failures, GetParam().changes_areas ? 2U : 0U);
}

const Prepare kNothing = [](SpaceFixture&) {};

INSTANTIATE_TEST_SUITE_P(
    AddressSpace, EveryOperation,
    ::testing::Values(
        Operation{"MapLinear", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->map_linear(guest(2 * kGiB + kPageSize, 4 * kMiB),
                                                     HostPhysAddr(0), {.name = "new"});
                  }},
        Operation{"MapEager", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->map_alloc(
                        guest(3 * kGiB - 2 * kMiB - kPageSize, 8 * kMiB), Populate::kNow,
                        {.name = "new"});
                  }},
        Operation{"MapLazy", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->map_alloc(guest(12 * kGiB, kGiB), Populate::kOnTouch,
                                                    {.name = "new"});
                  },
                  false},
        Operation{"UnmapPartsOfHugePages", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->unmap(guest(kGiB + 5 * kPageSize, 512 * kMiB));
                  }},
        Operation{"UnmapTheMiddleOfSmallAreas", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->unmap(guest(8 * kGiB + 20 * kPageSize, 90 * kPageSize));
                  },
                  false},
        Operation{"ProtectPartsOfHugePages", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->protect(guest(2 * kGiB - 3 * kPageSize, kPageSize),
                                                  Access::read());
                  }},
        Operation{"ProtectAcrossAreas",
                  [](SpaceFixture& fixture) {
                    ASSERT_TRUE(fixture.space->map_alloc(guest(2 * kGiB, 4 * kMiB), Populate::kNow,
                                                         {.name = "more"}));
                  },
                  [](SpaceFixture& fixture) {
                    return fixture.space->protect(guest(kGiB + kPageSize, kGiB), Access::read());
                  }},
        Operation{"Populate", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->populate(guest(4 * kGiB, 8 * kMiB));
                  },
                  true, false},
        Operation{"PopulateAcrossAreas",
                  [](SpaceFixture& fixture) {
                    for (std::uint64_t i = 0; i < 3; ++i) {
                      ASSERT_TRUE(
                          fixture.space->map_alloc(guest(4 * kGiB + (8 + 3 * i) * kMiB, 3 * kMiB),
                                                   Populate::kOnTouch, {.name = "more"}));
                    }
                  },
                  [](SpaceFixture& fixture) {
                    return fixture.space->populate(guest(4 * kGiB + 7 * kMiB, 9 * kMiB));
                  },
                  true, false},
        Operation{"DiscardPartsOfHugePages", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->discard(guest(kGiB + kPageSize, kPageSize));
                  },
                  true, false},
        Operation{"SetAuditPolicy", kNothing,
                  [](SpaceFixture& fixture) {
                    return fixture.space->set_audit_policy(guest(kGiB + kPageSize, kPageSize),
                                                           AuditPolicy::kAll);
                  },
                  false}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(AddressSpaceFailure, LeavesAFaultUnresolvedAndNothingChangedWithoutFrames) {
  for (std::uint64_t frames = 0;; ++frames) {
    SpaceFixture fixture({.range = guest(0, kGiB), .fault_granule = kPageSize});
    ASSERT_TRUE(fixture.space->map_alloc(guest(0, kMiB), Populate::kOnTouch, {.name = "ram"}));
    fixture.pool->set_limit(fixture.pool->statistics().committed + frames * kPageSize);
    const auto before = fixture.snapshot();
    const FaultResult result = fixture.space->handle_page_fault(GuestPhysAddr(0), Access::read());
    ASSERT_EQ(fixture.space->defect(), std::nullopt);
    if (result.outcome == FaultOutcome::kResolved) {
      EXPECT_EQ(frames, 4U);  // the page, and tables of three levels
      break;
    }
    ASSERT_EQ(result.outcome, FaultOutcome::kOutOfMemory);
    ASSERT_EQ(fixture.snapshot(), before);
  }
}

}  // namespace
}  // namespace nestling
