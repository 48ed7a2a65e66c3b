// Which fault path is chosen, and what is said about it.
#include "vmm/memory/memory_plan.h"

#include <gtest/gtest.h>

#include "tests/support/fake_page_faults.h"

namespace nestling {
namespace {

struct FakeProbes final : MemoryProbes {
  Result<std::unique_ptr<PageFaultSource>> page_faults() override {
    ++asked;
    if (!permits_page_faults) {
      return failure(make_error(ErrorKind::kHostRefused, "userfaultfd: Operation not permitted"));
    }
    return std::unique_ptr<PageFaultSource>(std::make_unique<testing::FakePageFaults>());
  }
  Result<bool> gives_memory_faults() override {
    ++asked;
    return memory_faults;
  }

  bool permits_page_faults = true;
  bool memory_faults = false;
  int asked = 0;
};

TEST(MemoryPlan, LeavesPagingToTheHostAndAsksNothingWhenNobodyNeedsToSeeFaults) {
  FakeProbes probes;
  const auto plan = plan_memory({}, probes);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->path, LazyPath::kHost);
  EXPECT_EQ(plan->reason, "nothing needs to see faults");
  EXPECT_EQ(probes.asked, 0);
}

TEST(MemoryPlan, TakesPageFaultsForALimitAndExitsWhereTheyAreRefused) {
  FakeProbes probes;
  const GuestMemoryConfig limited{.limit = 1 << 20};
  const auto plan = plan_memory(limited, probes);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->path, LazyPath::kUffd);
  EXPECT_NE(plan->page_faults, nullptr);
  probes.permits_page_faults = false;
  const auto without = plan_memory(limited, probes);
  ASSERT_TRUE(without);
  EXPECT_EQ(without->path, LazyPath::kMmio);
  EXPECT_EQ(without->reason,
            "--memory-limit needs to see faults; userfaultfd: Operation not permitted");
}

TEST(MemoryPlan, RefusesWhatThisHostCannotDoAndSaysWhatToUse) {
  FakeProbes probes;
  probes.permits_page_faults = false;
  const auto uffd = plan_memory({.path = LazyPath::kUffd}, probes);
  ASSERT_FALSE(uffd);
  EXPECT_EQ(uffd.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(uffd.error().message,
            "--lazy uffd cannot be used: userfaultfd: Operation not permitted; or use --lazy mmio "
            "or host");
  const auto fault = plan_memory({.path = LazyPath::kFault}, probes);
  ASSERT_FALSE(fault);
  EXPECT_NE(fault.error().message.find("use --lazy uffd, mmio or host"), std::string::npos);
  probes.memory_faults = true;
  EXPECT_TRUE(plan_memory({.path = LazyPath::kFault}, probes));
}

TEST(MemoryPlan, RefusesALimitThatNobodyWouldKeep) {
  FakeProbes probes;
  EXPECT_FALSE(plan_memory({.path = LazyPath::kHost, .limit = 1 << 20}, probes));
  EXPECT_FALSE(plan_memory({.path = LazyPath::kUffd, .huge = PageSize::k2MiB}, probes));
}

TEST(MemoryPlan, PopulatesWhatTheUserSaysAndNoLessThanAHugePage) {
  FakeProbes probes;
  EXPECT_EQ(plan_memory({.path = LazyPath::kUffd, .granule = 4096}, probes)->granule, 4096U);
  EXPECT_EQ(plan_memory({.path = LazyPath::kHost}, probes)->granule, 4096U);
  EXPECT_EQ(plan_memory({.path = LazyPath::kMmio, .granule = 4096, .huge = PageSize::k1GiB}, probes)
                ->granule,
            1U << 30);
}

}  // namespace
}  // namespace nestling
