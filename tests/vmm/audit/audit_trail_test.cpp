// The audit's file: its lines, its limit, and files that are full, slow or stuck.
#include "vmm/audit/audit_trail.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;
using testing::file_contents;
using testing::TemporaryFolder;

/// A write of eight bytes to a read-only area.
AuditEvent rom_write() {
  return {.kind = AuditKind::kViolation,
          .outcome = AuditOutcome::kDiscarded,
          .actor = {.kind = Actor::Kind::kVcpu, .index = 1},
          .address = GuestPhysAddr(0xf'f008),
          .size = 8,
          .access = Access::write(),
          .data = 0xffff'0000'1234'5678,
          .area = "rom",
          .watch = {},
          .place = GuestPlace{GuestVirtAddr(0x10'2005), ProgramCounterIs::kBehindInstruction},
          .virtual_address = GuestVirtAddr(0xffff'8000'000f'f008)};
}

std::unique_ptr<AuditTrail> trail_to(const std::string& path, std::uint64_t limit = UINT64_MAX) {
  auto trail = AuditTrail::create({.path = path, .limit = limit, .start = steady_clock::now()});
  EXPECT_TRUE(trail) << trail.error().message;
  return *std::move(trail);
}

/// With T for the numbers that are different each time.
std::string without_times(std::string text) {
  const std::string key = "\"time_ns\":";
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    const std::size_t first = at + key.size();
    text.replace(first, text.find_first_not_of("0123456789", first) - first, "T");
  }
  return text;
}

/// The lines of the file; fails the test where one is not JSON.
std::vector<nlohmann::json> lines_in(const std::string& path) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(file_contents(path));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(nlohmann::json::parse(line, nullptr, false));
    EXPECT_FALSE(lines.back().is_discarded()) << line;
  }
  return lines;
}

TEST(AuditTrail, LooksExactlyLikeThis) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  std::vector<std::uint64_t> asked;
  auto trail = AuditTrail::create(
      {.path = path, .start = steady_clock::now(), .symbol_at = [&](GuestVirtAddr address) {
         asked.push_back(address.value());
         return std::string("write_\"rom\"+0x4");
       }});
  ASSERT_TRUE(trail);
  (*trail)->record(rom_write());
  (*trail)->record({.kind = AuditKind::kUnclaimed,
                    .outcome = AuditOutcome::kAllOnes,
                    .actor = {.kind = Actor::Kind::kVcpu, .index = 0},
                    .address = Port(0x2fd),
                    .size = 1,
                    .access = Access::read()});
  ASSERT_TRUE((*trail)->finish());

  EXPECT_EQ(without_times(file_contents(path)),
            "{\"kind\":\"start\",\"audit_version\":1}\n"
            "{\"seq\":0,\"time_ns\":T,\"kind\":\"violation\",\"actor\":\"vcpu 1\","
            "\"pc\":\"0x102005\",\"pc_is\":\"behind\",\"symbol\":\"write_\\\"rom\\\"+0x4\","
            "\"gpa\":\"0xff008\",\"port\":null,\"gva\":\"0xffff8000000ff008\",\"size\":8,"
            "\"access\":\"w\",\"data\":\"0xffff000012345678\",\"area\":\"rom\",\"watch\":null,"
            "\"verdict\":\"discarded\"}\n"
            "{\"seq\":1,\"time_ns\":T,\"kind\":\"unclaimed\",\"actor\":\"vcpu 0\",\"pc\":null,"
            "\"pc_is\":null,\"symbol\":null,\"gpa\":null,\"port\":\"0x2fd\",\"gva\":null,"
            "\"size\":1,\"access\":\"r\",\"data\":null,\"area\":null,\"watch\":null,"
            "\"verdict\":\"all ones\"}\n"
            "{\"kind\":\"end\",\"recorded\":2,\"left_out\":0,\"lost\":0}\n");
  // Behind a write is the next instruction, perhaps of the next function.
  EXPECT_EQ(asked, std::vector<std::uint64_t>{0x10'2004});
}

TEST(AuditTrail, AsksForASymbolOnce) {
  const TemporaryFolder folder;
  int asked = 0;
  auto trail = AuditTrail::create({.path = folder.file("audit.jsonl"),
                                   .start = steady_clock::now(),
                                   .symbol_at = [&](GuestVirtAddr /*address*/) {
                                     ++asked;
                                     return std::string("f");
                                   }});
  ASSERT_TRUE(trail);
  for (int i = 0; i < 100; ++i) {
    (*trail)->record(rom_write());
  }
  ASSERT_TRUE((*trail)->finish());
  EXPECT_EQ(asked, 1);
}

TEST(AuditTrail, KeepsTheOrderOfEveryThreadsEvents) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  const auto trail = trail_to(path);
  std::vector<std::thread> vcpus;
  for (std::uint32_t vcpu = 0; vcpu < 3; ++vcpu) {
    vcpus.emplace_back([&trail, vcpu] {
      for (std::uint64_t i = 0; i < 1000; ++i) {
        AuditEvent event = rom_write();
        event.actor.index = vcpu;
        event.data = i;
        trail->record(std::move(event));
      }
    });
  }
  for (std::thread& vcpu : vcpus) {
    vcpu.join();
  }
  ASSERT_TRUE(trail->finish());
  EXPECT_EQ(trail->counts(), (AuditCounts{.recorded = 3000}));

  std::uint64_t sequence = 0;
  std::map<std::string, std::uint64_t> next;
  for (const auto& line : lines_in(path)) {
    if (line.contains("seq")) {
      EXPECT_EQ(line["seq"], sequence++);
      EXPECT_EQ(line["data"], fmt::format("{:#x}", next[line["actor"]]++));
    }
  }
  EXPECT_EQ(sequence, 3000U);
}

TEST(AuditTrail, IsOnDiskWhileTheRunGoesOn) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  const auto trail = trail_to(path);
  trail->record(rom_write());
  const auto give_up = steady_clock::now() + 10s;
  while (lines_in(path).size() < 2 && steady_clock::now() < give_up) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(lines_in(path).size(), 2U) << "nothing reached the file before the end";
}

TEST(AuditTrail, WritesTheRestWhenItIsDestroyed) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  trail_to(path)->record(rom_write());
  EXPECT_EQ(lines_in(path).size(), 3U);
}

TEST(AuditTrail, CountsWhatIsBehindTheLimit) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  const auto trail = trail_to(path, 10);
  for (int i = 0; i < 25; ++i) {
    trail->record(rom_write());
  }
  ASSERT_TRUE(trail->finish());
  EXPECT_EQ(trail->counts(), (AuditCounts{.recorded = 10, .left_out = 15}));
  const auto lines = lines_in(path);
  ASSERT_EQ(lines.size(), 12U);
  EXPECT_EQ(lines[10]["seq"], 9);
  EXPECT_EQ(lines[11],
            (nlohmann::json{{"kind", "end"}, {"recorded", 10}, {"left_out", 15}, {"lost", 0}}));
}

TEST(AuditTrail, CountsWhatComesAfterTheEndAsLost) {
  const TemporaryFolder folder;
  const auto trail = trail_to(folder.file("audit.jsonl"));
  ASSERT_TRUE(trail->finish());
  trail->record(rom_write());
  EXPECT_EQ(trail->counts(), (AuditCounts{.lost = 1}));
}

TEST(AuditTrail, HoldsWholeLinesAndSaysWhatIsLostWhenTheFileCannotGrow) {
  const TemporaryFolder folder;
  const std::string path = folder.file("audit.jsonl");
  const auto trail = trail_to(path);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit small{.rlim_cur = 100'000, .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 2000; ++i) {
    trail->record(rom_write());
  }
  const auto finished = trail->finish();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);

  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().kind, ErrorKind::kHostRefused);
  const AuditCounts counts = trail->counts();
  EXPECT_GT(counts.recorded, 0U);
  EXPECT_EQ(counts.recorded + counts.lost, 2000U);
  EXPECT_EQ(finished.error().message,
            fmt::format("audit {}: write: File too large ({} events are in it, {} are lost)", path,
                        counts.recorded, counts.lost));
  std::uint64_t in_file = 0;
  for (const auto& line : lines_in(path)) {
    in_file += line.contains("seq") ? 1U : 0U;
  }
  EXPECT_EQ(in_file, counts.recorded);
}

TEST(AuditTrail, ReportsAFullDeviceBeforeTheGuestStarts) {
  const auto trail = AuditTrail::create({.path = "/dev/full", .start = steady_clock::now()});
  ASSERT_FALSE(trail);
  EXPECT_EQ(trail.error().kind, ErrorKind::kHostRefused);
  EXPECT_EQ(trail.error().message, "audit /dev/full: write: No space left on device");
}

TEST(AuditTrail, NamesTheFileThatCannotBeOpened) {
  const auto trail =
      AuditTrail::create({.path = "/nonexistent/audit", .start = steady_clock::now()});
  ASSERT_FALSE(trail);
  EXPECT_EQ(trail.error().message,
            "cannot open /nonexistent/audit for the audit: No such file or directory");
}

TEST(AuditTrail, NeitherHoldsUpNorForgetsARunWhenItsReaderSleeps) {
  const TemporaryFolder folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const UniqueFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  ASSERT_TRUE(reader);
  const auto trail = trail_to(path);
  // More than the pipe, the writer's batch and the queue can hold.
  constexpr std::uint64_t kEvents = 3 * AuditTrail::kMostPending;
  for (std::uint64_t i = 0; i < kEvents; ++i) {
    trail->record(rom_write());
  }
  const auto before = steady_clock::now();
  const auto finished = trail->finish();
  EXPECT_LT(steady_clock::now() - before, 20s);
  ASSERT_FALSE(finished);
  const AuditCounts counts = trail->counts();
  EXPECT_GE(counts.lost, AuditTrail::kMostPending);
  EXPECT_EQ(counts.recorded + counts.lost, kEvents);
}

}  // namespace
}  // namespace nestling
