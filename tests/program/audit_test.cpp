// `nestling run --audit` and `--watch`: who touched what, from real runs.
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/program/program_test.h"
#include "tests/support/temporary_folder.h"

namespace nestling::testing {
namespace {

using nlohmann::json;

class AuditOfRun : public GuestTest {
 protected:
  /// The kernel `name`, run with an audit and these options.
  ProgramEnd audited(const std::string& name, std::vector<std::string> options = {}) {
    options.insert(options.end(), {"--audit", path_});
    return run(name, options);
  }
  /// The lines of the audit; fails the test where one is not JSON.
  [[nodiscard]] std::vector<json> lines() const {
    std::vector<json> found;
    std::istringstream text(file_contents(path_));
    for (std::string line; std::getline(text, line);) {
      found.push_back(json::parse(line, nullptr, false));
      EXPECT_FALSE(found.back().is_discarded()) << line;
    }
    return found;
  }
  [[nodiscard]] std::vector<json> events(const std::string& kind) const {
    std::vector<json> found;
    for (const json& line : lines()) {
      if (line["kind"] == kind) {
        found.push_back(line);
      }
    }
    return found;
  }
  /// "w8 0x5 all ones" of each event.
  static std::vector<std::string> briefly(const std::vector<json>& events) {
    std::vector<std::string> found;
    found.reserve(events.size());
    for (const json& event : events) {
      found.push_back(event["access"].get<std::string>() +
                      std::to_string(event["size"].get<int>()) + " " +
                      event["data"].get<std::string>() + " " + event["verdict"].get<std::string>());
    }
    return found;
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.file("audit.jsonl");
};

TEST_F(AuditOfRun, ListsAccessesOfAddressesWithoutADevice) {
  expect_exit_code(audited("unclaimed-mmio"), 0);
  const auto found = events("unclaimed");
  EXPECT_EQ(briefly(found), (std::vector<std::string>{
                                "w4 0x55555555 discarded", "r1 0xff all ones", "r2 0xffff all ones",
                                "r4 0xffffffff all ones", "r8 0xffffffffffffffff all ones"}));
  for (const json& event : found) {
    EXPECT_EQ(event["gpa"], "0xe0000000");
    EXPECT_EQ(event["gva"], "0xe0000000") << "proved by the instruction: " << event;
    EXPECT_EQ(event["actor"], "vcpu 0");
    EXPECT_EQ(event["area"], nullptr);
    EXPECT_EQ(event["pc_is"], event["access"] == "w" && !is_arm64() ? "behind" : "at");
    expect_contains(event["symbol"].get<std::string>(), "nestling::guest::");
  }
  EXPECT_EQ(lines().front(), (json{{"kind", "start"}, {"audit_version", 1}}));
  EXPECT_EQ(lines().back()["kind"], "end");
  EXPECT_EQ(lines().back()["lost"], 0);
}

TEST_F(AuditOfRun, ListsAccessesOfPortsWithoutADevice) {
  if (!has_kernel("unclaimed-port")) {
    return;
  }
  expect_exit_code(audited("unclaimed-port"), 0);
  const auto found = events("unclaimed");
  EXPECT_EQ(briefly(found),
            (std::vector<std::string>{"w1 0x55 discarded", "r1 0xff all ones", "r2 0xffff all ones",
                                      "r4 0xffffffff all ones"}));
  for (const json& event : found) {
    EXPECT_EQ(event["port"], "0x1234");
    EXPECT_EQ(event["gpa"], nullptr);
    expect_contains(event["symbol"].get<std::string>(), "nestling::guest::kernel_main");
  }
}

TEST_F(AuditOfRun, SaysThatAnAccessEndedAStrictRun) {
  expect_exit_code(audited("unclaimed-mmio", {"--strict"}), 83);
  EXPECT_EQ(briefly(events("unclaimed")), std::vector<std::string>{"w4 0x55555555 stopped"});
}

TEST_F(AuditOfRun, CountsWhatIsBehindTheLimit) {
  expect_exit_code(audited("unclaimed-mmio", {"--audit-limit", "1"}), 0);
  EXPECT_EQ(events("unclaimed").size(), 1U);
  EXPECT_GE(lines().back()["left_out"].get<int>(), 4);
}

TEST_F(AuditOfRun, CountsAFullDiskAsRefusedByTheHost) {
  const ProgramEnd end = run("hello", {"--audit", "/dev/full"});
  expect_exit_code(end, 71);
  expect_contains(end.errors, "audit /dev/full: write: No space left on device");
}

TEST_F(AuditOfRun, SeesEveryWriteOfAWatchedWord) {
  expect_exit_code(audited("watched", {"--watch", "nestling::guest::watched+8:w"}), 0);
  const auto found = events("watch");
  EXPECT_EQ(briefly(found), (std::vector<std::string>{
                                "w8 0x1122334455667788 completed", "w1 0xab completed",
                                "w4 0xcafef00d completed", "w8 0x5a5a5a5a5a5a5a5a completed"}));
  for (const json& event : found) {
    EXPECT_EQ(event["watch"], "nestling::guest::watched+8:w");
    EXPECT_EQ(event["area"], "ram");
    EXPECT_EQ(event["actor"], "vcpu 0");
  }
  EXPECT_EQ(found[0]["gva"], found[0]["gpa"]);
  expect_contains(found[0]["symbol"].get<std::string>(), "nestling::guest::");
}

TEST_F(AuditOfRun, SeesEveryReadAndWriteOfAWatchedWord) {
  expect_exit_code(audited("watched", {"--watch", "nestling::guest::watched+8"}), 0);
  const auto found = briefly(events("watch"));
  ASSERT_GE(found.size(), 6U);
  EXPECT_EQ(
      (std::vector<std::string>{found.begin(), found.begin() + 6}),
      (std::vector<std::string>{
          "w8 0x1122334455667788 completed", "r8 0x1122334455667788 completed", "w1 0xab completed",
          "r1 0xab completed", "w4 0xcafef00d completed", "r4 0xcafef00d completed"}));
}

TEST_F(AuditOfRun, SeesOnlyReadsWhereOnlyReadsAreWatched) {
  expect_exit_code(audited("watched", {"--watch", "nestling::guest::watched+8:r"}), 0);
  const auto found = briefly(events("watch"));
  ASSERT_GE(found.size(), 3U);
  for (const std::string& each : found) {
    EXPECT_EQ(each.front(), 'r') << each;
  }
}

TEST_F(AuditOfRun, SeesPairsWriteBackAndSimdRegisters) {
  if (!has_kernel("watched-pairs")) {
    return;
  }
  expect_exit_code(run("watched-pairs"), 0);
  expect_exit_code(audited("watched-pairs", {"--watch", "nestling::guest::watched+4K"}), 0);
  std::vector<std::string> found;
  for (const json& event : events("watch")) {
    found.push_back(event["access"].get<std::string>() + std::to_string(event["size"].get<int>()) +
                    " " + event["data"].get<std::string>());
    EXPECT_EQ(event["gva"], event["gpa"]) << event;
    EXPECT_EQ(event["pc_is"], "at");
  }
  // Each 8 bytes of a register are an access, and so is each side of an edge.
  const auto has = [&found](const std::vector<std::string>& row) {
    return std::search(found.begin(), found.end(), row.begin(), row.end()) != found.end();
  };
  EXPECT_TRUE(has({"w8 0x1111", "w8 0x2222"}));
  EXPECT_TRUE(has({"r8 0x1111", "r8 0x2222", "w8 0x0", "w8 0x0"}));
  EXPECT_TRUE(has({"r2 0xfffe", "r1 0xfe"}));
  EXPECT_TRUE(has({"w8 0x102030405060708", "w8 0x1112131415161718", "r8 0x102030405060708",
                   "r8 0x1112131415161718"}));
  EXPECT_TRUE(has({"w8 0x3333"}));
  EXPECT_TRUE(has({"w4 0x55667788"}));
  EXPECT_FALSE(has({"w8 0x4444"})) << "of the page that nobody watches";
  if (HasFailure()) {
    ADD_FAILURE() << ::testing::PrintToString(found);
  }
}

TEST_F(AuditOfRun, SeesWritesOfPairsWhereOnlyWritesAreWatched) {
  if (!has_kernel("watched-pairs")) {
    return;
  }
  expect_exit_code(audited("watched-pairs", {"--watch", "nestling::guest::watched+4K:w"}), 0);
  const auto found = events("watch");
  ASSERT_GE(found.size(), 8U);
  for (const json& event : found) {
    EXPECT_EQ(event["access"], "w");
  }
}

TEST_F(AuditOfRun, ExplainsThatCodeCannotBeReadWatched) {
  const ProgramEnd end = audited("hello", {"--watch", "nestling::guest::kernel_main+1:r"});
  EXPECT_NE(end.exit_code, 0);
  expect_contains(end.errors, "--watch nestling::guest::kernel_main+1:r traps reads of the page");
}

TEST_F(AuditOfRun, RefusesWhatCannotBeWatched) {
  const ProgramEnd nobody = audited("hello", {"--watch", "nobody"});
  expect_exit_code(nobody, 64);
  expect_contains(nobody.errors, "--watch nobody: the kernel has no such symbol");
  const ProgramEnd hole = audited("hello", {"--watch", "0xe0000000+4K"});
  expect_exit_code(hole, 64);
  expect_contains(hole.errors, "--watch 0xe0000000+4K: 0xe0000000-0xe0000fff: ");
}

TEST(AuditOptions, AreCheckedBeforeAnythingRuns) {
  const ProgramEnd alone = nestling({"run", "kernel", "--watch", "0x1000+4K"});
  expect_exit_code(alone, 64);
  expect_contains(alone.errors, "--audit");
  const ProgramEnd wrong = nestling({"run", "kernel", "--audit", "a", "--watch", "0x1000"});
  expect_exit_code(wrong, 64);
  expect_contains(wrong.errors, "0x1000 is no range to watch: give 0x200000-0x200fff:rw");
}

}  // namespace
}  // namespace nestling::testing
