// The JSON report: every field, absent ones, hostile text, exact numbers.
#include "vmm/run_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

using nlohmann::json;
using std::chrono::nanoseconds;

RunReport hello_report() {
  RunReport report;
  report.outcome = outcome_of(Verdict{.kind = VerdictKind::kGuestExit,
                                      .reason = "exit status 3 after 1.9 ms, 57 exits",
                                      .guest_status = 3});
  report.times.start = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000)) +
                       std::chrono::microseconds(5);
  report.times.vm_ready = nanoseconds(400'000);
  report.times.first_guest_instruction = nanoseconds(450'001);
  report.times.end = nanoseconds(1'900'000);
  report.exits[0] = 56;
  report.exits[2] = 1;
  report.unclaimed_accesses = 2;
  report.kernel_path = "hello.elf";
  report.command_line = "quiet";
  report.memory_bytes = 128ULL << 20;
  report.arguments = {"run", "hello.elf"};
  report.nestling_version = "0.1.0";
  report.kvm_api_version = 12;
  report.last_console_line = "Hello";
  return report;
}

TEST(RunReport, HoldsEverythingOfARun) {
  const json parsed = json::parse(to_json(hello_report()));
  EXPECT_EQ(parsed["report_version"], 1);
  EXPECT_EQ(parsed["verdict"], "exit");
  EXPECT_EQ(parsed["reason"], "exit status 3 after 1.9 ms, 57 exits");
  EXPECT_EQ(parsed["exit_code"], 3);
  EXPECT_EQ(parsed["guest_status"], 3);
  EXPECT_EQ(parsed["times"], (json{{"start", "2023-11-14T22:13:20.000005000Z"},
                                   {"start_unix_ns", 1'700'000'000'000'005'000},
                                   {"vm_ready_ns", 400'000},
                                   {"first_guest_instruction_ns", 450'001},
                                   {"end_ns", 1'900'000}}));
  EXPECT_EQ(parsed["exits"]["total"], 57);
  EXPECT_EQ(parsed["exits"]["by_kind"]["port"], 56);
  EXPECT_EQ(parsed["exits"]["by_kind"]["halt"], 1);
  EXPECT_EQ(parsed["exits"]["by_kind"]["mmio"], 0);
  EXPECT_EQ(parsed["exits"]["by_kind"].size(), kExitKinds);
  EXPECT_EQ(parsed["unclaimed_accesses"], 2);
  EXPECT_EQ(parsed["kernel"], (json{{"path", "hello.elf"}, {"command_line", "quiet"}}));
  EXPECT_EQ(parsed["machine"], (json{{"memory_bytes", 134'217'728}, {"vcpus", 1}}));
  EXPECT_EQ(parsed["last_console_line"], "Hello");
  EXPECT_TRUE(parsed["crash_report"].is_null());
  EXPECT_EQ(parsed["nestling"]["version"], "0.1.0");
  EXPECT_EQ(parsed["nestling"]["arguments"], (json{"run", "hello.elf"}));
  EXPECT_GT(parsed["nestling"]["peak_resident_bytes"], 0);
  EXPECT_EQ(parsed["kvm"]["api_version"], 12);
  EXPECT_EQ(parsed["host"]["system"], "Linux");
  EXPECT_GT(parsed["host"]["cpus_online"], 0);
}

TEST(RunReport, HasNullForWhatTheRunDidNotReach) {
  RunReport report;
  report.outcome = outcome_of(make_error(ErrorKind::kNoKvm, "cannot open /dev/kvm"));
  const json parsed = json::parse(to_json(report));
  EXPECT_EQ(parsed["verdict"], "no-kvm");
  EXPECT_EQ(parsed["exit_code"], 69);
  EXPECT_EQ(parsed["reason"], "cannot open /dev/kvm");
  EXPECT_TRUE(parsed["guest_status"].is_null());
  EXPECT_TRUE(parsed["times"]["vm_ready_ns"].is_null());
  EXPECT_TRUE(parsed["times"]["first_guest_instruction_ns"].is_null());
  EXPECT_TRUE(parsed["times"]["end_ns"].is_null());
  EXPECT_TRUE(parsed["kvm"]["api_version"].is_null());
}

TEST(RunReport, KeepsALargeGuestStatusExact) {
  RunReport report;
  report.outcome = outcome_of(
      Verdict{.kind = VerdictKind::kGuestExit, .reason = "", .guest_status = ~std::uint64_t{0}});
  const json parsed = json::parse(to_json(report));
  EXPECT_EQ(parsed["guest_status"], ~std::uint64_t{0});
  EXPECT_EQ(parsed["exit_code"], 63);
}

TEST(RunReport, GivesNoGuestStatusForAnotherVerdict) {
  const RunOutcome outcome =
      outcome_of(Verdict{.kind = VerdictKind::kTripleFault, .reason = "", .guest_status = 7});
  EXPECT_EQ(outcome.name, "triple-fault");
  EXPECT_EQ(outcome.exit_code, 80);
  EXPECT_FALSE(outcome.guest_status);
}

TEST(RunReport, NamesEveryErrorWithItsExitCode) {
  const auto outcome = [](ErrorKind kind) {
    const RunOutcome result = outcome_of(make_error(kind, "x"));
    return fmt::format("{} {}", result.name, result.exit_code);
  };
  EXPECT_EQ(outcome(ErrorKind::kUsage), "usage 64");
  EXPECT_EQ(outcome(ErrorKind::kBadImage), "bad-image 65");
  EXPECT_EQ(outcome(ErrorKind::kNoInput), "no-input 66");
  EXPECT_EQ(outcome(ErrorKind::kNoKvm), "no-kvm 69");
  EXPECT_EQ(outcome(ErrorKind::kBug), "bug 70");
  EXPECT_EQ(outcome(ErrorKind::kHostRefused), "host-refused 71");
}

/// 24 KiB of 128 MiB in small pages, by the pager.
MemoryReport paged_memory() {
  MemoryReport report;
  report.space.areas = 2;
  report.space.mapped = 128ULL << 20;
  report.space.resident[PageSize::k4KiB] = 0x6000;
  report.space.resident[PageSize::k2MiB] = 2ULL << 20;
  report.space.table_bytes = 0x5000;
  report.space.faults[static_cast<std::size_t>(FaultOutcome::kResolved)] = 5;
  report.space.faults[static_cast<std::size_t>(FaultOutcome::kAlreadyPresent)] = 2;
  report.space.violations = 1;
  report.live.path = LazyPath::kUffd;
  report.live.reason = "as asked";
  report.live.granule = 0x1000;
  report.live.exits.denied_writes = 1;
  report.live.slots.slots = 3;
  report.live.slots.slot_limit = 509;
  report.live.pager = UffdPager::Statistics{.faults = 7, .populated = 5, .present = 2};
  report.host_page_size = 4096;
  return report;
}

TEST(RunReport, CountsMemoryAndFaults) {
  RunReport report = hello_report();
  EXPECT_TRUE(json::parse(to_json(report))["memory"].is_null());
  EXPECT_TRUE(json::parse(to_json(report))["audit"].is_null());
  report.memory = paged_memory();
  report.audit = AuditCounts{.recorded = 4, .left_out = 3, .lost = 0};
  const json parsed = json::parse(to_json(report));
  const json& memory = parsed["memory"];
  EXPECT_EQ(memory["path"], "uffd");
  EXPECT_EQ(memory["path_reason"], "as asked");
  EXPECT_EQ(memory["granule_bytes"], 4096);
  EXPECT_TRUE(memory["limit_bytes"].is_null());
  EXPECT_EQ(memory["mapped_bytes"], 134'217'728);
  EXPECT_EQ(memory["resident_bytes"],
            (json{{"total", 0x20'6000}, {"4K", 0x6000}, {"2M", 0x20'0000}, {"1G", 0}}));
  EXPECT_EQ(memory["table_bytes"], 0x5000);
  EXPECT_EQ(memory["slots"]["in_use"], 3);
  EXPECT_EQ(memory["slots"]["limit"], 509);
  EXPECT_EQ(memory["faults"]["total"], 7);
  EXPECT_EQ(memory["faults"]["by_outcome"]["resolved"], 5);
  EXPECT_EQ(memory["faults"]["by_outcome"]["already_present"], 2);
  EXPECT_EQ(memory["faults"]["exits"]["denied_writes"], 1);
  EXPECT_EQ(memory["faults"]["pager"]["populated"], 5);
  EXPECT_EQ(memory["violations"], 1);
  EXPECT_EQ(parsed["audit"], (json{{"recorded", 4}, {"left_out", 3}, {"lost", 0}}));
}

TEST(MemoryReport, SaysTheSameInWords) {
  EXPECT_EQ(in_words(paged_memory()),
            "2.02 MiB of 128 MiB resident (1x2M 6x4K) in 2 areas, 20 KiB of tables, 3 slots, lazy "
            "uffd: 7 faults");
  EXPECT_EQ(in_words(MemoryReport{}),
            "0 B of 0 B resident (no pages) in 0 areas, 0 B of tables, 0 slots, lazy "
            "host: 0 faults");
}

TEST(RunReport, StaysJsonWhateverBytesTheGuestPrints) {
  RunReport report = hello_report();
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) {
    every_byte += static_cast<char>(byte);
  }
  report.last_console_line = every_byte;
  report.outcome.reason = "\xed\xa0\x80\xf8\"\\\x1b[31m";
  report.kernel_path = "\xff.elf";
  report.arguments = {"\xc3"};
  const json parsed = json::parse(to_json(report), nullptr, false);
  ASSERT_FALSE(parsed.is_discarded());
  EXPECT_EQ(parsed["kernel"]["path"], "\xef\xbf\xbd.elf");
  EXPECT_EQ(parsed["last_console_line"].get<std::string>().substr(0, 128),
            every_byte.substr(0, 128));
}

TEST(RunReport, GoesIntoAFile) {
  const testing::TemporaryFolder folder;
  ASSERT_TRUE(write_run_report(folder.file("run.json"), hello_report()));
  const std::string text = testing::file_contents(folder.file("run.json"));
  EXPECT_EQ(text.back(), '\n');
  EXPECT_EQ(json::parse(text)["verdict"], "exit");
}

}  // namespace
}  // namespace nestling
