// Console output: when bytes are delivered, what is remembered, and readers that are slow or gone.
#include "vmm/console_output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "base/file_descriptor.h"

namespace nestling {
namespace {

using Buffering = ConsoleOutput::Buffering;

class ConsoleOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    old_handler_ = signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  void TearDown() override { (void)signal(SIGPIPE, old_handler_); }

  static void write(ConsoleOutput& output, std::string_view text) {
    output.write(std::as_bytes(std::span(text)));
  }
  /// What is in the pipe now.
  [[nodiscard]] std::string delivered() const {
    std::string text;
    std::array<char, 4096> piece{};
    fcntl(reader.get(), F_SETFL, O_NONBLOCK);
    for (ssize_t size = 0; (size = read(reader.get(), piece.data(), piece.size())) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(size));
    }
    return text;
  }
  /// Writes until the reader is needed.
  void fill_pipe() const {
    const UniqueFd filler(open(("/proc/self/fd/" + std::to_string(writer.get())).c_str(),
                               O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    const std::string piece(4096, '.');
    while (::write(filler.get(), piece.data(), piece.size()) > 0) {
    }
  }

  UniqueFd reader;
  UniqueFd writer;

 private:
  sighandler_t old_handler_ = nullptr;
};

TEST_F(ConsoleOutputTest, DeliversALineWhenItEnds) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
  write(output, "hel");
  EXPECT_EQ(delivered(), "");
  EXPECT_TRUE(output.pending());
  write(output, "lo\nwor");
  EXPECT_EQ(delivered(), "hello\n");
  EXPECT_TRUE(output.pending());
  output.flush();
  EXPECT_EQ(delivered(), "wor");
  EXPECT_FALSE(output.pending());
}

TEST_F(ConsoleOutputTest, DeliversABatchWhenItIsFull) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kBlocks);
  const std::string text(ConsoleOutput::kBatchSize - 1, '\n');
  write(output, text);
  EXPECT_EQ(delivered(), "");
  write(output, "xy");
  EXPECT_EQ(delivered(), text + "x");
}

TEST_F(ConsoleOutputTest, DeliversTheRestWhenItEnds) {
  {
    ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
    write(output, "bye");
    EXPECT_EQ(delivered(), "");
  }
  EXPECT_EQ(delivered(), "bye");
}

TEST_F(ConsoleOutputTest, DeliversWithoutWaitingWhatTheReaderTakes) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
  write(output, "prompt> ");
  output.flush_without_waiting();
  EXPECT_EQ(delivered(), "prompt> ");
  EXPECT_FALSE(output.pending());
}

TEST_F(ConsoleOutputTest, KeepsWithoutWaitingWhatTheReaderDoesNotTake) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
  fill_pipe();
  write(output, "later");
  output.flush_without_waiting();
  EXPECT_TRUE(output.pending());
  (void)delivered();
  output.flush_without_waiting();
  EXPECT_EQ(delivered(), "later");
}

TEST_F(ConsoleOutputTest, LosesNothingToASlowReader) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kBlocks);
  std::string text;
  for (int i = 0; i < 40'000; ++i) {
    text += std::to_string(i) + '\n';
  }
  std::string got;
  std::thread slow([&] {
    while (got.size() < text.size()) {
      got += delivered();
      std::this_thread::yield();
    }
  });
  write(output, text);
  output.flush();
  slow.join();
  EXPECT_EQ(got, text);
}

TEST_F(ConsoleOutputTest, StopsWaitingForAReaderWhenAbandoned) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
  fill_pipe();
  std::thread stuck([&] { write(output, "never read\n"); });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  output.flush_without_waiting();  // does not wait for the thread that waits
  output.abandon();
  stuck.join();
  EXPECT_FALSE(output.pending());
  EXPECT_EQ(output.error(), std::nullopt) << "giving up is not the host's fault";
}

TEST_F(ConsoleOutputTest, DeliversAfterBeingAbandonedWhatIsTakenAtOnce) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
  output.abandon();
  write(output, "last words\n");
  EXPECT_EQ(delivered(), "last words\n");
}

TEST_F(ConsoleOutputTest, SaysThatItsReaderWentAwayAndGoesOn) {
  ConsoleOutput output(writer.get(), "standard output", Buffering::kLines);
  reader = UniqueFd();
  EXPECT_FALSE(output.failed());
  write(output, "to nobody\n");
  ASSERT_TRUE(output.failed());
  EXPECT_EQ(output.error()->kind, ErrorKind::kHostRefused);
  EXPECT_EQ(output.error()->message,
            "cannot write the guest's console to standard output: Broken pipe");
  write(output, "more\n");
  EXPECT_FALSE(output.pending());
  EXPECT_EQ(output.last_lines(), (std::vector<std::string>{"to nobody", "more"}));
}

TEST_F(ConsoleOutputTest, SaysThatTheDiskIsFull) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  ConsoleOutput output(full.get(), "log", Buffering::kBlocks);
  write(output, "x");
  EXPECT_FALSE(output.failed());
  output.flush();
  ASSERT_TRUE(output.failed());
  EXPECT_NE(output.error()->message.find("No space left on device"), std::string::npos);
}

TEST_F(ConsoleOutputTest, SaysThatStandardOutputWasClosed) {
  const int closed = dup(writer.get());
  close(closed);
  ConsoleOutput output(closed, "standard output", Buffering::kLines);
  write(output, "x\n");
  ASSERT_TRUE(output.failed());
  EXPECT_NE(output.error()->message.find("Bad file descriptor"), std::string::npos);
}

TEST_F(ConsoleOutputTest, LeavesTheSharedDescriptorBlocking) {
  const ConsoleOutput output(writer.get(), "pipe", Buffering::kLines);
  EXPECT_EQ(fcntl(writer.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(ConsoleOutputTest, RemembersTheLastLinesEvenAnUnfinishedOne) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kBlocks);
  EXPECT_TRUE(output.last_lines().empty());
  write(output, "one\r\ntwo\n\nfour\nfive\nsi");
  EXPECT_EQ(output.last_lines(), (std::vector<std::string>{"", "four", "five", "si"}));
  write(output, "x\n");
  EXPECT_EQ(output.last_lines(), (std::vector<std::string>{"", "four", "five", "six"}));
}

TEST_F(ConsoleOutputTest, RemembersALimitedPartOfAnEndlessLineAndNothingThatActsOnATerminal) {
  ConsoleOutput output(writer.get(), "pipe", Buffering::kBlocks);
  write(output, "\x1b[2J\x07" + std::string(3000, 'x'));
  ASSERT_EQ(output.last_lines().size(), 1U);
  EXPECT_EQ(output.last_lines()[0],
            ".[2J." + std::string(ConsoleOutput::kRememberedLineSize - 5, 'x'));
}

}  // namespace
}  // namespace nestling
