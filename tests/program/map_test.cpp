// `nestling run --map`: which memory the guest used, from a real run.
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/program/program_test.h"
#include "tests/support/temporary_folder.h"

namespace nestling::testing {
namespace {

using MapOfRun = GuestTest;

TEST_F(MapOfRun, ListsBothAreasOfALargeGuestAndLittleOfThemResident) {
  const ProgramEnd end = run("hello", {"--memory", "4G", "--map", "text"});
  expect_exit_code(end, 0);
  expect_contains(end.errors, "0xbfffffff");
  expect_contains(end.errors, is_arm64() ? "0x17fffffff" : "0x13fffffff");
  expect_contains(end.errors, "2 areas, 4 GiB mapped, ");
  EXPECT_EQ(end.errors.find(" 0 bytes resident"), std::string::npos) << end.errors;
}

TEST_F(MapOfRun, DrawsAPicture) {
  const TemporaryFolder folder;
  const std::string picture = folder.file("map.svg");
  expect_exit_code(run("hello", {"--map", "svg:" + picture}), 0);
  const std::string drawn = file_contents(picture);
  EXPECT_EQ(drawn.find("<svg"), 0U);
  expect_contains(drawn, "</svg>");
  expect_contains(drawn, "128 MiB");
}

TEST_F(MapOfRun, CountsAPictureThatCannotBeWrittenAsRefusedByTheHost) {
  const ProgramEnd end = run("hello", {"--map", "svg:/nonexistent/map.svg"});
  expect_exit_code(end, 71);
  expect_contains(end.errors, "/nonexistent/map.svg");
  expect_contains(end.errors, "exit status 0");
}

/// "…, 4 GiB mapped, 88 KiB resident" in KiB.
std::uint64_t resident_kib(const std::string& map) {
  const std::string before = "mapped, ";
  const std::size_t at = map.find(before);
  std::istringstream sum(at == std::string::npos ? "" : map.substr(at + before.size()));
  double number = 0;
  std::string unit;
  std::string resident;
  if (!(sum >> number >> unit >> resident) || resident != "resident") {
    ADD_FAILURE() << "no sum in:\n" << map;
    return 0;
  }
  const unsigned shift = unit == "KiB" ? 0 : unit == "MiB" ? 10 : 20;
  return static_cast<std::uint64_t>(number * static_cast<double>(1ULL << shift));
}

struct Touched {
  std::vector<std::string> options;
  std::uint64_t least_kib = 0;
  std::uint64_t most_kib = 0;
};

TEST_F(MapOfRun, ShowsWhatTheGuestTouchedOnEveryPath) {
  constexpr std::uint64_t kMiB = 1024;  // in KiB
  // Eight touches, 2 MiB apart; a granule or a huge page of the host's each, and what was loaded.
  const Touched paths[] = {{{"--lazy", "uffd", "--granule", "4K"}, 32, kMiB},
                           {{"--lazy", "uffd", "--granule", "2M"}, 16 * kMiB, 24 * kMiB},
                           {{"--lazy", "mmio", "--granule", "4K"}, 32, kMiB},
                           {{"--lazy", "mmio", "--granule", "2M"}, 16 * kMiB, 24 * kMiB},
                           {{"--lazy", "host"}, 32, 24 * kMiB},
                           {{"--lazy", "off"}, 128 * kMiB, 128 * kMiB}};
  const std::uint64_t ram = is_arm64() ? 0x4000'0000 : 0;
  for (const Touched& path : paths) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(path.options, " ")));
    std::vector<std::string> options = {
        "--map", "text", "--cmdline",
        fmt::format("start={:#x} stride=0x200000 count=8", ram + 0x400'0000)};
    options.insert(options.end(), path.options.begin(), path.options.end());
    const ProgramEnd end = run("first-touch", options);
    expect_exit_code(end, 0);
    const std::uint64_t resident = resident_kib(end.errors);
    EXPECT_GE(resident, path.least_kib) << end.errors;
    EXPECT_LE(resident, path.most_kib) << end.errors;
  }
}

}  // namespace
}  // namespace nestling::testing
