// The doctor on the host the tests run on: its trial guests really run.
#include <vector>

#include <gtest/gtest.h>

#include "vmm/doctor_command.h"

namespace nestling {
namespace {

TEST(Doctor, RunsATrialAndSaysYes) {
  const DoctorReport report = examine_host({});
  if (report.device_problem) {
    GTEST_SKIP() << report.device_problem->what;
  }
  EXPECT_EQ(report.trial_problem, "");
  ASSERT_TRUE(report.trial);
  std::vector<ExitCost> costs = {report.trial->device_write};
  if (report.trial->halt) {
    costs.push_back(*report.trial->halt);
  }
  for (const ExitCost& cost : costs) {
    EXPECT_EQ(cost.count, 1000U);
    EXPECT_GT(cost.least.count(), 0);
    EXPECT_GE(cost.median, cost.least);
  }
  EXPECT_GT(report.trial->vm_ready.count(), 0);
  EXPECT_GE(report.slot_limit, 32);
  ASSERT_FALSE(report.capabilities.empty());
  EXPECT_TRUE(can_run(report));
}

}  // namespace
}  // namespace nestling
