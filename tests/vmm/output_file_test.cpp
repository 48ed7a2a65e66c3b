// Output files: whole or not at all, wherever they lead.
#include "vmm/output_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

namespace fs = std::filesystem;
using testing::file_contents;
using testing::TemporaryFolder;

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(OutputFile, IsCreatedWithNothingLeftBesideIt) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_output_file(folder.file("new"), "text\n"));
  EXPECT_EQ(file_contents(folder.file("new")), "text\n");
  EXPECT_EQ(files_in(folder.path()), 1U);
}

TEST(OutputFile, ReplacesAnOldOneAndKeepsItsPermissions) {
  const TemporaryFolder folder;
  folder.write("old", "a long text that was here before");
  fs::permissions(folder.file("old"), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(write_output_file(folder.file("old"), "new"));
  EXPECT_EQ(file_contents(folder.file("old")), "new");
  EXPECT_EQ(fs::status(folder.file("old")).permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST(OutputFile, ShowsAReaderTheOldTextUntilTheNewOneIsWhole) {
  const TemporaryFolder folder;
  folder.write("file", "old");
  std::ifstream reader(folder.file("file"));
  ASSERT_TRUE(write_output_file(folder.file("file"), "new"));
  std::string seen;
  reader >> seen;
  EXPECT_EQ(seen, "old");
}

TEST(OutputFile, FollowsASymbolicLink) {
  const TemporaryFolder folder;
  folder.write("target", "old");
  fs::create_symlink(folder.file("target"), folder.file("link"));
  ASSERT_TRUE(write_output_file(folder.file("link"), "new"));
  EXPECT_TRUE(fs::is_symlink(folder.file("link")));
  EXPECT_EQ(file_contents(folder.file("target")), "new");
}

TEST(OutputFile, WritesIntoWhatIsNoRegularFile) {
  EXPECT_TRUE(write_output_file("/dev/null", "text"));
  EXPECT_EQ(fs::status("/dev/null").type(), fs::file_type::character);
}

TEST(OutputFile, ReportsAFullDevice) {
  const auto written = write_output_file("/dev/full", "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kHostRefused);
  EXPECT_EQ(written.error().message, "cannot write /dev/full: write: No space left on device");
}

TEST(OutputFile, NamesTheFileWhoseFolderIsMissing) {
  const TemporaryFolder folder;
  const auto written = write_output_file(folder.file("no/folder"), "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            fmt::format("cannot write {}: No such file or directory", folder.file("no/folder")));
}

TEST(OutputFile, RefusesAFolder) {
  const TemporaryFolder folder;
  const auto written = write_output_file(folder.path().string(), "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().message,
            fmt::format("cannot write {}: Is a directory", folder.path().string()));
}

}  // namespace
}  // namespace nestling
