// Opening images by path: what cannot be opened, with which error.
#include "boot/open_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/elf_builder.h"
#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

class OpenImage : public ::testing::Test {
 protected:
  /// A source for "kernel" in the test's folder.
  [[nodiscard]] ImageSource source() const {
    ImageSource source;
    source.path = folder_.file("kernel");
    return source;
  }

  void write_kernel() {
    const ElfBytes file = small_kernel().build();
    std::string text(file.bytes().size(), '\0');
    std::transform(file.bytes().begin(), file.bytes().end(), text.begin(),
                   [](std::byte byte) { return static_cast<char>(byte); });
    folder_.write("kernel", text);
  }

  /// Expects a failure of `kind` whose message is the path, ": " and `reason`.
  void expect_refused(ErrorKind kind, const std::string& reason) const {
    const auto image = open_image(source());
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().kind, kind);
    EXPECT_EQ(image.error().message, source().path + ": " + reason);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(OpenImage, ReadsAnElfFileAndKeepsIt) {
  write_kernel();
  auto opened = open_image(source());
  ASSERT_TRUE(opened) << opened.error().message;
  const Image image = std::move(*opened);
  EXPECT_EQ(image.name, source().path);
  ASSERT_EQ(image.segments.size(), 3U);
  EXPECT_EQ(image.segments[1].file[0], std::byte{1}) << "still mapped after the move";
}

TEST_F(OpenImage, IsNotHurtWhenTheFileIsShortenedWhileItIsInUse) {
  write_kernel();
  const auto image = open_image(source());
  ASSERT_TRUE(image);
  folder_.write("kernel", "");
  EXPECT_EQ(image->file[1], std::byte{'E'});
  EXPECT_EQ(image->segments[1].file[0], std::byte{1});
}

TEST_F(OpenImage, ReadsAnElfFileAsRawBytesWhenToldTo) {
  write_kernel();
  ImageSource flat = source();
  flat.flat_address = GuestPhysAddr(0x8000);
  const auto image = open_image(flat);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->format, ImageFormat::kFlat);
  EXPECT_EQ(image->segments[0].file[1], std::byte{'E'});
}

TEST_F(OpenImage, RefusesAMissingFile) {
  expect_refused(ErrorKind::kNoInput, "No such file or directory");
}

TEST_F(OpenImage, RefusesAnEmptyFile) {
  folder_.write("kernel", "");
  expect_refused(ErrorKind::kBadImage, "the file is empty");
}

TEST_F(OpenImage, RefusesADirectory) {
  folder_.write("kernel/inside", "");
  expect_refused(ErrorKind::kNoInput, "is a directory");
}

TEST_F(OpenImage, RefusesAFifoWithoutWaitingForItsWriter) {
  ASSERT_EQ(mkfifo(source().path.c_str(), 0600), 0);
  expect_refused(ErrorKind::kNoInput, "is not a regular file");
}

TEST_F(OpenImage, RefusesADevice) {
  ASSERT_EQ(symlink("/dev/null", source().path.c_str()), 0);
  expect_refused(ErrorKind::kNoInput, "is not a regular file");
}

TEST_F(OpenImage, PutsThePathBeforeTheReadersMessage) {
  folder_.write("kernel", "#!/bin/sh\n");
  expect_refused(ErrorKind::kBadImage,
                 "e_ident: starts with 23 21 2f 62, not with the ELF magic 7f 45 4c 46 (a raw "
                 "binary needs --flat ADDRESS)");
}

TEST_F(OpenImage, RefusesAFileItMayNotRead) {
  write_kernel();
  ASSERT_EQ(chmod(source().path.c_str(), 0), 0);
  if (geteuid() != 0) {
    expect_refused(ErrorKind::kNoInput, "Permission denied");
    return;
  }
  // Root may read everything, so somebody else tries.
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (setuid(kNobody) != 0) {
      _exit(3);
    }
    const auto image = open_image(source());
    const bool is_refused = !image && image.error().kind == ErrorKind::kNoInput &&
                            image.error().message == source().path + ": Permission denied";
    _exit(is_refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace nestling
