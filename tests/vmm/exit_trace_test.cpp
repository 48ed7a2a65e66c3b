// The exit trace: its events, that it is complete JSON at every moment, and a disk that fills up.
#include "vmm/exit_trace.h"

#include <sys/resource.h>

#include <csignal>
#include <map>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

using std::chrono::nanoseconds;
using testing::file_contents;
using testing::TemporaryFolder;

constexpr ExitRecord kUartWrite = {
    .kind = 0, .direction = Direction::kWrite, .size = 1, .address = 0x3f8, .value = 0x41};
constexpr ExitTiming kTiming = {
    .guest_start = nanoseconds(1000), .exit = nanoseconds(3500), .handled = nanoseconds(4001)};

/// The events of a trace without its metadata; fails the test when the file is not JSON.
std::vector<nlohmann::json> events_in(const std::string& path) {
  const auto json = nlohmann::json::parse(file_contents(path), nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << file_contents(path);
  std::vector<nlohmann::json> events;
  if (!json.is_discarded()) {
    for (const auto& event : json["traceEvents"]) {
      if (event["ph"] == "X") {
        events.push_back(event);
      }
    }
  }
  return events;
}

TEST(ExitTrace, WritesGuestTimeAndHandlingTimeOfEachExit) {
  const TemporaryFolder folder;
  auto trace = ExitTrace::create(folder.file("trace.json"), "hello");
  ASSERT_TRUE(trace);
  (*trace)->record(0, kTiming, kUartWrite);
  ASSERT_TRUE((*trace)->finish());

  const auto events = events_in(folder.file("trace.json"));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0]["name"], "guest");
  EXPECT_DOUBLE_EQ(events[0]["ts"].get<double>(), 1.0);
  EXPECT_DOUBLE_EQ(events[0]["dur"].get<double>(), 2.5);
  EXPECT_EQ(events[1]["name"], "port write 0x3f8");
  EXPECT_DOUBLE_EQ(events[1]["ts"].get<double>(), 3.5);
  EXPECT_DOUBLE_EQ(events[1]["dur"].get<double>(), 0.501);
  EXPECT_EQ(events[1]["args"], (nlohmann::json{{"kind", "port"},
                                               {"address", "0x3f8"},
                                               {"size", 1},
                                               {"direction", "write"},
                                               {"value", "0x41"}}));
}

TEST(ExitTrace, LooksExactlyLikeThis) {
  const TemporaryFolder folder;
  auto trace = ExitTrace::create(folder.file("trace.json"), "a \"kernel\"\xff");
  ASSERT_TRUE(trace);
  (*trace)->record(1, kTiming, {.kind = 2});
  ASSERT_TRUE((*trace)->finish());
  EXPECT_EQ(file_contents(folder.file("trace.json")),
            "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
            "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\","
            "\"args\":{\"name\":\"a \\\"kernel\\\"\xef\xbf\xbd\"}},\n"
            "{\"ph\":\"M\",\"pid\":1,\"tid\":2,\"name\":\"thread_name\","
            "\"args\":{\"name\":\"vCPU 1\"}},\n"
            "{\"ph\":\"X\",\"pid\":1,\"tid\":2,\"ts\":1.000,\"dur\":2.500,\"name\":\"guest\"},\n"
            "{\"ph\":\"X\",\"pid\":1,\"tid\":2,\"ts\":3.500,\"dur\":0.501,\"name\":\"halt\","
            "\"cat\":\"halt\",\"args\":{\"kind\":\"halt\",\"detail\":\"halt\"}}\n]}\n");
}

TEST(ExitTrace, GivesEachVcpuOneTrack) {
  const TemporaryFolder folder;
  auto trace = ExitTrace::create(folder.file("trace.json"), "smp");
  ASSERT_TRUE(trace);
  std::vector<std::thread> vcpus;
  for (std::uint32_t vcpu = 0; vcpu < 3; ++vcpu) {
    vcpus.emplace_back([&trace, vcpu] {
      for (int i = 0; i < 100; ++i) {
        (*trace)->record(vcpu, kTiming, kUartWrite);
      }
    });
  }
  for (std::thread& vcpu : vcpus) {
    vcpu.join();
  }
  ASSERT_TRUE((*trace)->finish());
  const auto json = nlohmann::json::parse(file_contents(folder.file("trace.json")));
  std::map<int, int> names;
  std::map<int, int> events;
  for (const auto& event : json["traceEvents"]) {
    if (event["name"] == "thread_name") {
      ++names[event["tid"].get<int>()];
    } else if (event["ph"] == "X") {
      ++events[event["tid"].get<int>()];
    }
  }
  EXPECT_EQ(names, (std::map<int, int>{{1, 1}, {2, 1}, {3, 1}}));
  EXPECT_EQ(events, (std::map<int, int>{{1, 200}, {2, 200}, {3, 200}}));
}

TEST(ExitTrace, ShowsFaultsInsideExitsAndThoseOfThePagerOnATrackOfItsOwn) {
  const TemporaryFolder folder;
  auto trace = ExitTrace::create(folder.file("trace.json"), "lazy");
  ASSERT_TRUE(trace);
  const MemoryEvent event{.kind = MemoryEvent::Kind::kFault,
                          .actor = {.kind = Actor::Kind::kVcpu, .index = 1},
                          .gpa = GuestPhysAddr(0x20'0000),
                          .size = 4,
                          .access = Access::write(),
                          .outcome = MemoryEvent::Outcome::kPopulated};
  (*trace)->record({.time = nanoseconds(4000), .vcpu = 1, .event = event});
  (*trace)->record({.time = nanoseconds(5500), .vcpu = std::nullopt, .event = event});
  (*trace)->record(1, kTiming, kUartWrite);
  ASSERT_TRUE((*trace)->finish());
  const auto json = nlohmann::json::parse(file_contents(folder.file("trace.json")));
  std::map<int, std::string> tracks;
  std::vector<nlohmann::json> faults;
  for (const auto& each : json["traceEvents"]) {
    if (each["name"] == "thread_name") {
      EXPECT_TRUE(tracks.emplace(each["tid"], each["args"]["name"]).second);
    } else if (each["ph"] == "i") {
      faults.push_back(each);
    }
  }
  EXPECT_EQ(tracks, (std::map<int, std::string>{{2, "vCPU 1"}, {1000, "pager"}}));
  ASSERT_EQ(faults.size(), 2U);
  EXPECT_EQ(faults[0]["tid"], 2);
  EXPECT_DOUBLE_EQ(faults[0]["ts"].get<double>(), 4.0);
  EXPECT_EQ(faults[0]["cat"], "fault");
  EXPECT_EQ(faults[0]["name"], "fault 0x200000");
  EXPECT_EQ(faults[0]["args"], (nlohmann::json{{"actor", "vcpu 1"},
                                               {"address", "0x200000"},
                                               {"access", "write"},
                                               {"outcome", "populated"}}));
  EXPECT_EQ(faults[1]["tid"], 1000);
}

TEST(ExitTrace, IsCompleteJsonWhileTheRunGoesOn) {
  const TemporaryFolder folder;
  auto trace = ExitTrace::create(folder.file("trace.json"), "killed");
  ASSERT_TRUE(trace);
  EXPECT_TRUE(events_in(folder.file("trace.json")).empty());
  std::size_t seen = 0;
  for (int i = 0; i < 2000; ++i) {
    (*trace)->record(0, kTiming, kUartWrite);
    if (i % 100 == 0) {
      seen = std::max(seen, events_in(folder.file("trace.json")).size());
    }
  }
  EXPECT_GT(seen, 0U) << "nothing reached the file before the end";
}

TEST(ExitTrace, WritesTheRestWhenItIsDestroyed) {
  const TemporaryFolder folder;
  {
    auto trace = ExitTrace::create(folder.file("trace.json"), "early end");
    ASSERT_TRUE(trace);
    (*trace)->record(0, kTiming, kUartWrite);
  }
  EXPECT_EQ(events_in(folder.file("trace.json")).size(), 2U);
}

TEST(ExitTrace, ReplacesALongerOldFile) {
  const TemporaryFolder folder;
  folder.write("trace.json", std::string(100'000, 'x'));
  auto trace = ExitTrace::create(folder.file("trace.json"), "short");
  ASSERT_TRUE(trace);
  ASSERT_TRUE((*trace)->finish());
  EXPECT_TRUE(events_in(folder.file("trace.json")).empty());
}

TEST(ExitTrace, StaysCompleteJsonAndSaysWhatIsLostWhenTheFileCannotGrow) {
  const TemporaryFolder folder;
  auto trace = ExitTrace::create(folder.file("trace.json"), "full");
  ASSERT_TRUE(trace);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  // Room for one flush and half of the next.
  const rlimit small{.rlim_cur = 100'000, .rlim_max = old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  for (int i = 0; i < 2000; ++i) {
    (*trace)->record(0, kTiming, kUartWrite);
  }
  const auto finished = (*trace)->finish();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);

  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().kind, ErrorKind::kHostRefused);
  const auto events = events_in(folder.file("trace.json"));
  EXPECT_GT(events.size(), 100U);
  EXPECT_EQ(finished.error().message,
            fmt::format("exit trace {}: write: File too large ({} exits are in it, {} are lost)",
                        folder.file("trace.json"), events.size() / 2, 2000 - events.size() / 2));
}

TEST(ExitTrace, ReportsAFullDeviceBeforeTheGuestStarts) {
  const auto trace = ExitTrace::create("/dev/full", "full");
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().kind, ErrorKind::kHostRefused);
  EXPECT_EQ(trace.error().message, "exit trace /dev/full: write: No space left on device");
}

TEST(ExitTrace, NamesTheFileThatCannotBeOpened) {
  const TemporaryFolder folder;
  const auto trace = ExitTrace::create(folder.file("no/such/folder"), "none");
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().message, fmt::format("cannot open {} for the exit trace: No such file or "
                                               "directory",
                                               folder.file("no/such/folder")));
}

}  // namespace
}  // namespace nestling
