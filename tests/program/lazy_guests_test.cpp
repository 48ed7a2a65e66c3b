// The guests that prove what memory does, each on every fault path that this host offers; and which
// paths those are.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "addrspace/address.h"
#include "tests/program/program_test.h"
#include "tests/support/temporary_folder.h"

namespace nestling::testing {
namespace {

/// RAM starts at another address on each architecture.
constexpr std::uint64_t kRam = NESTLING_RAM_START;

/// A way to run a guest: the path, and how much one fault populates where that can be said.
struct Path {
  const char* lazy;
  const char* granule;  // null for the path's own
};

constexpr Path kPathsOfEveryKvm[] = {{"uffd", "4K"}, {"uffd", "2M"},    {"mmio", "4K"},
                                     {"mmio", "2M"}, {"host", nullptr}, {"off", nullptr}};
/// Few hosts have it, see FaultPaths.
constexpr Path kMemoryFaults = {"fault", nullptr};

std::vector<std::string> options_of(const Path& path) {
  std::vector<std::string> options = {"--lazy", path.lazy, "--test-device"};
  if (path.granule != nullptr) {
    options.insert(options.end(), {"--granule", path.granule});
  }
  return options;
}

std::string name_of(const Path& path) {
  return std::string(path.lazy) + (path.granule != nullptr ? path.granule : "");
}

/// What the program says when it cannot take `path` here; empty when it can.
std::string refusal_of(const Path& path) {
  const ProgramEnd end = nestling(run_arguments("hello", options_of(path)));
  if (end.exit_code == 0) {
    return {};
  }
  expect_exit_code(end, 64);
  expect_contains(end.errors, fmt::format("--lazy {} cannot be used: ", path.lazy));
  return end.errors;
}

/// The guest on this path.
ProgramEnd run_lazily(const Path& path, const std::string& name,
                      const std::vector<std::string>& options = {}) {
  std::vector<std::string> all = options_of(path);
  all.insert(all.end(), options.begin(), options.end());
  return nestling(run_arguments(name, all));
}

bool is(const Path& path, const std::string& lazy) { return path.lazy == lazy; }

bool has_small_granule(const Path& path) {
  return path.granule != nullptr && std::string(path.granule) == "4K";
}

// What each guest proves on a path.

void touches_a_large_space_sparsely(const Path& path) {
  // 2 MiB for each touch, at most.
  const ProgramEnd end =
      run_lazily(path, "sparse-toucher", {"--memory", "16G", "--cmdline", "stride=0x4000000"});
  if (is(path, "off") && end.exit_code != 0) {
    // All of 16 GiB at once is more than small hosts have.
    expect_exit_code(end, 71);
    expect_contains(end.errors, "guest RAM");
    return;
  }
  expect_exit_code(end, 0);
  expect_contains(end.output, "were zero and keep what is written\n");
}

void translates_as_the_processor_does(const Path& path) {
  const ProgramEnd end = run_lazily(path, "page-walker");
  expect_exit_code(end, 0);
  expect_contains(end.output, " kinds of pages translate as the processor does\n");
}

void keeps_page_tables_in_memory_that_nobody_touched(const Path& path) {
  const ProgramEnd end = run_lazily(path, "lazy-page-tables");
  if (is(path, "mmio") && end.exit_code != 0) {
    // By its nature: some hosts' processors walk into memory without a slot and shut down.
    expect_exit_code(end, 80);
    expect_contains(end.errors, "page tables stand in memory that nobody had touched");
    expect_contains(end.errors, "--lazy uffd, host or off serve them");
    return;
  }
  expect_exit_code(end, 0);
  expect_contains(end.output, "4 tables in memory that nobody had touched\n");
}

void straddles_every_edge(const Path& path) {
  const TemporaryFolder folder;
  folder.write("rom", std::string(kPageSize, 'r'));
  const std::uint64_t rom = kRam + 0x300'0000;
  const std::uint64_t end_of_ram = kRam + 0x400'0000;
  for (const std::string granule : {"0x10000", "0x1000"}) {
    const ProgramEnd end = run_lazily(
        path, "straddler",
        {"--memory", "64M", "--rom", fmt::format("{:#x}:{}", rom, folder.file("rom")), "--cmdline",
         fmt::format("granule={} rom={:#x} outer={:#x}", granule, rom, end_of_ram)});
    expect_exit_code(end, 0);
    expect_contains(end.output, "accesses over the edges of ROM at ");
    expect_contains(end.output, "accesses over the end of RAM at ");
    expect_contains(end.output, "144 accesses over edges, 44 between neighbours\n");
  }
}

void leaves_rom_as_it_is(const Path& path) {
  const TemporaryFolder folder;
  std::string bytes;
  for (unsigned i = 0; i < 10'000; ++i) {
    bytes.push_back(static_cast<char>(7 * i + 3));
  }
  folder.write("rom", bytes);
  const std::uint64_t at = kRam + 0x400'0000;
  const ProgramEnd end =
      run_lazily(path, "rom-writer",
                 {"--rom", fmt::format("{:#x}:{}", at, folder.file("rom")), "--map", "text",
                  "--cmdline", fmt::format("rom={:#x} size={}", at, bytes.size())});
  expect_exit_code(end, 0);
  expect_contains(end.output, " writes left the ROM as it was\n");
  expect_contains(end.errors, "rom");
}

void shows_the_same_memory_twice(const Path& path) {
  const std::uint64_t source = kRam + 0x100'0000;
  const std::uint64_t alias = kRam + 0x300'0000;
  const ProgramEnd end = run_lazily(
      path, "alias-checker",
      {"--map", "text", "--alias", fmt::format("{:#x}:{:#x}:128K", alias, source), "--cmdline",
       fmt::format("alias={:#x} source={:#x} size=0x20000", alias, source)});
  expect_exit_code(end, 0);
  expect_contains(end.errors, "alias");
  expect_contains(end.output, "32 pages are the same at ");
}

void finds_zeros_where_memory_was_given_back(const Path& path) {
  // Where one fault brings 4 KiB, each page is one.
  const ProgramEnd end = run_lazily(
      path, "discard-checker",
      {"--cmdline", has_small_granule(path) ? "pages=48 rounds=4" : "pages=640 rounds=4"});
  expect_exit_code(end, 0);
  expect_contains(end.output, "4 rounds of memory given back\n");
}

void has_a_large_bss(const Path& path) {
  const ProgramEnd end = run_lazily(path, "big-bss");
  expect_exit_code(end, 0);
  expect_contains(end.output, "67108864 bytes of .bss\n");
}

void races_for_pages(const Path& path) {
  for (const std::string stride : {"0x1000", "0x80000"}) {
    const ProgramEnd end =
        run_lazily(path, "racer", {"--cpus", "2", "--cmdline", "pages=64 stride=" + stride});
    expect_exit_code(end, 0);
    expect_contains(end.output, "2 CPUs touched 64 pages at once\n");
  }
}

/// A storm of faults: by night every page of 1 GiB, for minutes.
struct Storm {
  std::uint64_t pages = 1024;
  std::uint64_t rounds = 3;
  std::string memory = "128M";
};

Storm storm_of_tonight() {
  if (std::getenv("NESTLING_NIGHTLY") == nullptr) {
    return {};
  }
  return {.pages = 262'144, .rounds = 4, .memory = "1200M"};
}

void survives_a_storm_of_faults(const Path& path) {
  const Storm storm = storm_of_tonight();
  const TemporaryFolder folder;
  ProgramCall call;
  call.path = program_path();
  call.arguments = {"run", kernel_path("fault-storm")};
  for (const std::string& option : options_of(path)) {
    call.arguments.push_back(option);
  }
  call.arguments.insert(
      call.arguments.end(),
      {"--cpus", "2", "--memory", storm.memory, "--json", folder.file("report"), "--cmdline",
       fmt::format("pages={} rounds={}", storm.pages, storm.rounds)});
  call.timeout = std::chrono::minutes(storm.pages > 1024 ? 110 : 1);
  const ProgramEnd end = end_of(call);
  expect_exit_code(end, 0);
  expect_contains(end.output, fmt::format("{} rounds of {} pages, 2 CPUs, nothing lost\n",
                                          storm.rounds, storm.pages));
  if (is(path, "off")) {
    return;  // where nothing is counted
  }
  // What is resident in the end are the pages of the last round and little else: nothing leaked.
  const auto report = nlohmann::json::parse(file_contents(folder.file("report")), nullptr, false);
  ASSERT_FALSE(report.is_discarded());
  const auto& memory = report.at("memory");
  // The kernel's, what was handed to it, and a granule on each side: up to 16 MiB when mmio runs
  // short of slots and makes its faults larger.
  const bool may_grow = is(path, "mmio") && storm.pages > 8192;
  const std::uint64_t others = (may_grow ? 40U : 8U) << 20;
  const auto resident = memory.at("resident_bytes").at("total").get<std::uint64_t>();
  EXPECT_GE(resident, storm.pages * kPageSize);
  EXPECT_LE(resident, storm.pages * kPageSize + others);
  if (has_small_granule(path) && !may_grow) {
    // Each page came into being once a round, whoever was there first.
    const auto populated = memory.at("faults").at("by_outcome").at("resolved").get<std::uint64_t>();
    EXPECT_LE(populated, storm.pages * storm.rounds + others / kPageSize);
    EXPECT_GE(populated, storm.pages * storm.rounds / 2);  // the device brought some
  }
}

/// Not every architecture executes what untouched memory holds.
bool is_untouched_memory_code() { return std::ifstream(kernel_path("lazy-code")).good(); }

void fetches_from_memory_that_nobody_touched(const Path& path) {
  const ProgramEnd end = run_lazily(path, "lazy-code");
  expect_exit_code(end, 0);
  expect_contains(end.output, "4 instructions fetched from untouched memory\n");
}

void runs_in_user_mode(const Path& path) { expect_exit_code(run_lazily(path, "user-mode"), 0); }

void finds_no_memory_in_a_hole(const Path& path) {
  const std::uint64_t hole = kRam + 0x300'0000;
  const ProgramEnd end = run_lazily(
      path, "boot-info", {"--memory", "64M", "--hole", fmt::format("{:#x}:0x3000", hole)});
  expect_exit_code(end, 0);
  expect_contains(end.output, fmt::format("memory {:#018x} size 0xffd000 usable\n", hole + 0x3000));
}

/// Each test is one guest on one path; skipped, with the program's own words, where the host does
/// not offer the path.
class LazyGuest : public GuestTest, public ::testing::WithParamInterface<Path> {
 protected:
  void SetUp() override {
    GuestTest::SetUp();
    if (IsSkipped()) {
      return;
    }
    const std::string refusal = refusal_of(GetParam());
    if (!refusal.empty()) {
      GTEST_SKIP() << refusal;
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Paths, LazyGuest, ::testing::ValuesIn(kPathsOfEveryKvm),
                         [](const auto& path) { return name_of(path.param); });

TEST_P(LazyGuest, TouchesALargeSpaceSparsely) { touches_a_large_space_sparsely(GetParam()); }
TEST_P(LazyGuest, TranslatesAsTheProcessorDoes) { translates_as_the_processor_does(GetParam()); }
/// True where KVM answers the walk of a page table without a slot with an abort of the guest's, so
/// that nobody else hears of it: on arm64.
bool is_blind_for_tables(const Path& path) { return kRam != 0 && is(path, "mmio"); }

TEST_P(LazyGuest, KeepsPageTablesInMemoryThatNobodyTouched) {
  if (is_blind_for_tables(GetParam())) {
    GTEST_SKIP()
        << "arm64's KVM tells the guest, not the VMM, of a page table without a slot: by an "
           "external abort";
  }
  keeps_page_tables_in_memory_that_nobody_touched(GetParam());
}
TEST_P(LazyGuest, StraddlesEveryEdge) { straddles_every_edge(GetParam()); }
TEST_P(LazyGuest, LeavesRomAsItIs) { leaves_rom_as_it_is(GetParam()); }
TEST_P(LazyGuest, ShowsTheSameMemoryTwice) { shows_the_same_memory_twice(GetParam()); }
TEST_P(LazyGuest, FindsZerosWhereMemoryWasGivenBack) {
  finds_zeros_where_memory_was_given_back(GetParam());
}
TEST_P(LazyGuest, HasALargeBss) { has_a_large_bss(GetParam()); }
TEST_P(LazyGuest, RacesForPages) { races_for_pages(GetParam()); }
TEST_P(LazyGuest, FetchesFromMemoryThatNobodyTouched) {
  if (!is_untouched_memory_code()) {
    GTEST_SKIP() << "zeros are no instruction of this architecture that a program survives";
  }
  fetches_from_memory_that_nobody_touched(GetParam());
}
TEST_P(LazyGuest, FindsNoMemoryInAHole) { finds_no_memory_in_a_hole(GetParam()); }
TEST_P(LazyGuest, SurvivesAStormOfFaults) { survives_a_storm_of_faults(GetParam()); }
TEST_P(LazyGuest, RunsInUserMode) { runs_in_user_mode(GetParam()); }

using FaultPaths = GuestTest;

TEST_F(FaultPaths, OfMemoryFaultExitsServeEveryGuestOrAreRefusedWithAReason) {
  const std::string refusal = refusal_of(kMemoryFaults);
  if (!refusal.empty()) {
    expect_contains(refusal, "use --lazy uffd, mmio or host");
    return;
  }
  touches_a_large_space_sparsely(kMemoryFaults);
  translates_as_the_processor_does(kMemoryFaults);
  keeps_page_tables_in_memory_that_nobody_touched(kMemoryFaults);
  straddles_every_edge(kMemoryFaults);
  leaves_rom_as_it_is(kMemoryFaults);
  shows_the_same_memory_twice(kMemoryFaults);
  finds_zeros_where_memory_was_given_back(kMemoryFaults);
  has_a_large_bss(kMemoryFaults);
  races_for_pages(kMemoryFaults);
  survives_a_storm_of_faults(kMemoryFaults);
  if (is_untouched_memory_code()) {
    fetches_from_memory_that_nobody_touched(kMemoryFaults);
  }
  runs_in_user_mode(kMemoryFaults);
  finds_no_memory_in_a_hole(kMemoryFaults);
}

TEST_F(FaultPaths, AreTriedAndTheListSaysWhichRan) {
  bool has_one_that_sees_faults = false;
  std::vector<Path> paths(std::begin(kPathsOfEveryKvm), std::end(kPathsOfEveryKvm));
  paths.push_back(kMemoryFaults);
  for (const Path& path : paths) {
    const std::string refusal = refusal_of(path);
    std::printf("fault path %-7s %s\n", name_of(path).c_str(),
                refusal.empty() ? "runs" : ("does not: " + refusal).c_str());
    const std::string lazy = path.lazy;
    has_one_that_sees_faults |= refusal.empty() && (lazy == "mmio" || lazy == "uffd");
    // These ask for nothing that a host with KVM may lack.
    if (lazy == "host" || lazy == "off" || lazy == "mmio") {
      EXPECT_EQ(refusal, "");
    }
  }
  EXPECT_TRUE(has_one_that_sees_faults);
}

class WritesToRom : public GuestTest {
 protected:
  /// rom-writer over a ROM of one page, with `option`.
  static ProgramEnd run_with(const std::string& option) {
    const TemporaryFolder folder;
    std::string bytes;
    for (unsigned i = 0; i < 4096; ++i) {
      bytes.push_back(static_cast<char>(7 * i + 3));
    }
    folder.write("rom", bytes);
    return run("rom-writer",
               {option, "--rom", fmt::format("{:#x}:{}", kAddress, folder.file("rom")), "--cmdline",
                fmt::format("rom={:#x} size=4096", kAddress)});
  }

  static constexpr std::uint64_t kAddress = kRam + 0x400'0000;
};

TEST_F(WritesToRom, GoNowhere) { expect_exit_code(run_with("-v"), 0); }

TEST_F(WritesToRom, EndTheRunUnderStrict) {
  const ProgramEnd end = run_with("--strict");
  expect_exit_code(end, 83);
  expect_contains(end.errors, fmt::format("{:#x}", kAddress));
}

TEST(ExtraAreasOfRun, AreRefusedWithTheNumbers) {
  const auto refused = [](const std::string& option, const std::string& value) {
    return nestling({"run", kernel_path("hello"), option, value});
  };
  expect_exit_code(refused("--hole", "1M"), 64);
  expect_exit_code(refused("--alias", "1M:2M"), 64);
  expect_exit_code(refused("--rom", "file"), 64);
}

TEST_F(FaultPaths, RefuseExtraAreasThatDoNotFit) {
  const ProgramEnd outside = run("hello", {"--hole", "0x3000000000:0x1000"});
  expect_exit_code(outside, 64);
  expect_contains(outside.errors, "not all of 0x3000000000-0x3000000fff is RAM");
  const ProgramEnd missing = run("hello", {"--rom", "0x80000000:/no/such/rom"});
  expect_exit_code(missing, 66);
  expect_contains(missing.errors, "/no/such/rom: No such file");
  const ProgramEnd device = run("hello", {"--alias", fmt::format("0xd0000000:{:#x}:4K", kRam)});
  expect_exit_code(device, 64);
  expect_contains(device.errors, "overlaps a device at 0xd0000000");
}

}  // namespace
}  // namespace nestling::testing
