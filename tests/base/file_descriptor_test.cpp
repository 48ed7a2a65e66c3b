// UniqueFd closes exactly once; write_all writes everything, or says why it could not.
#include "base/file_descriptor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

static_assert(!std::is_copy_constructible_v<UniqueFd>);
static_assert(std::is_nothrow_move_constructible_v<UniqueFd>);
static_assert(!std::is_convertible_v<int, UniqueFd>);

bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

UniqueFd open_null() { return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)); }

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

/// Bytes that repeat with a period no buffer size has.
std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(i % 251);
  }
  return bytes;
}

/// Everything that comes out of `fd` until its end.
std::vector<std::byte> drain(int fd) {
  std::vector<std::byte> all;
  std::array<std::byte, 4096> piece{};
  ssize_t count = 0;
  while ((count = read(fd, piece.data(), piece.size())) > 0) {
    all.insert(all.end(), piece.begin(), piece.begin() + count);
  }
  return all;
}

TEST(UniqueFd, OwnsNothingByDefault) {
  const UniqueFd none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.get(), -1);
}

TEST(UniqueFd, ClosesWhenItGoes) {
  int number = -1;
  {
    const UniqueFd owner = open_null();
    ASSERT_TRUE(owner);
    number = owner.get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, HandsItsDescriptorOnWhenMoved) {
  UniqueFd first = open_null();
  const int number = first.get();
  const UniqueFd second = std::move(first);
  EXPECT_EQ(second.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFd, ClosesWhatAnAssignmentReplaces) {
  UniqueFd target = open_null();
  UniqueFd source = open_null();
  const int replaced = target.get();
  const int kept = source.get();
  target = std::move(source);
  EXPECT_FALSE(is_open(replaced));
  EXPECT_TRUE(is_open(kept));
  EXPECT_EQ(target.get(), kept);
}

TEST(UniqueFd, SurvivesBeingAssignedToItself) {
  UniqueFd owner = open_null();
  UniqueFd& same = owner;
  const int number = owner.get();
  owner = std::move(same);
  EXPECT_EQ(owner.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(WriteAll, WritesEverythingAcrossShortWrites) {
  Pipe pipe;
  const auto sent = pattern(1U << 20);  // 16 times what a pipe holds
  std::vector<std::byte> received;
  std::thread reader([&] { received = drain(pipe.reader.get()); });
  EXPECT_TRUE(write_all(pipe.writer.get(), sent));
  pipe.writer = UniqueFd();
  reader.join();
  EXPECT_TRUE(received == sent);
}

TEST(WriteAll, WaitsForRoomOnANonBlockingTarget) {
  Pipe pipe;
  ASSERT_EQ(fcntl(pipe.writer.get(), F_SETFL, O_NONBLOCK), 0);
  const auto sent = pattern(1U << 20);
  std::vector<std::byte> received;
  std::thread reader([&] { received = drain(pipe.reader.get()); });
  EXPECT_TRUE(write_all(pipe.writer.get(), sent));
  pipe.writer = UniqueFd();
  reader.join();
  EXPECT_TRUE(received == sent);
}

TEST(WriteAll, GoesOnAfterASignal) {
  struct sigaction action {};
  action.sa_handler = [](int /*signal*/) {};
  struct sigaction before {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);  // without SA_RESTART
  Pipe pipe;
  const auto sent = pattern(1U << 20);
  std::atomic<bool> done = false;
  Result<void> result = failure(make_error(ErrorKind::kBug, "not run"));
  std::thread writer([&] {
    result = write_all(pipe.writer.get(), sent);
    pipe.writer = UniqueFd();
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // let it fill the pipe and block
  for (int i = 0; i < 20 && !done; ++i) {
    pthread_kill(writer.native_handle(), SIGUSR1);
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  const auto received = drain(pipe.reader.get());
  writer.join();
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_TRUE(result);
  EXPECT_TRUE(received == sent);
}

TEST(WriteAll, WritesNothingWhenThereIsNothing) { EXPECT_TRUE(write_all(-1, {})); }

TEST(WriteAll, SaysThatTheDiskIsFull) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  const auto result = write_all(full.get(), pattern(10));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kHostRefused);
  EXPECT_EQ(result.error().message, "write: No space left on device");
}

TEST(WriteAll, SaysThatTheReaderIsGone) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  const UniqueFd writer(ends[0]);
  { const UniqueFd reader(ends[1]); }
  auto* const before = std::signal(SIGPIPE, SIG_IGN);
  const auto result = write_all(writer.get(), pattern(10));
  (void)std::signal(SIGPIPE, before);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "write: Broken pipe");
}

}  // namespace
}  // namespace nestling
