// `nestling run --map`: which memory the guest used, from a real run.
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

}  // namespace
}  // namespace nestling::testing
