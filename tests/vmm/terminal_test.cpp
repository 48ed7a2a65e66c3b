// Raw mode on a pseudo-terminal: entered, left on every way out, and never touched elsewhere.
#include "vmm/terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/file_descriptor.h"

namespace nestling {
namespace {

class RawTerminalTest : public testing::Test {
 protected:
  void SetUp() override {
    int master = -1;
    int slave = -1;
    ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    master_ = UniqueFd(master);
    slave_ = UniqueFd(slave);
    ASSERT_EQ(tcgetattr(fd(), &cooked_), 0);
  }

  [[nodiscard]] int fd() const { return slave_.get(); }
  [[nodiscard]] termios mode() const {
    termios now{};
    tcgetattr(fd(), &now);
    return now;
  }
  [[nodiscard]] bool is_raw() const { return (mode().c_lflag & (ICANON | ECHO)) == 0; }
  /// True when the mode is what it was before the test.
  [[nodiscard]] bool is_cooked() const {
    const termios now = mode();
    return now.c_iflag == cooked_.c_iflag && now.c_oflag == cooked_.c_oflag &&
           now.c_cflag == cooked_.c_cflag && now.c_lflag == cooked_.c_lflag;
  }
  void cook() const { ASSERT_EQ(tcsetattr(fd(), TCSANOW, &cooked_), 0); }

 private:
  UniqueFd master_;
  UniqueFd slave_;
  termios cooked_{};
};

TEST_F(RawTerminalTest, IsRawWhileItLivesAndRestoredAfterwards) {
  ASSERT_TRUE(is_cooked());
  {
    const RawTerminal terminal(fd(), InterruptKey::kGuest);
    EXPECT_TRUE(terminal.is_terminal());
    EXPECT_TRUE(is_raw());
  }
  EXPECT_TRUE(is_cooked());
}

TEST_F(RawTerminalTest, GivesEveryKeyToTheGuest) {
  const RawTerminal terminal(fd(), InterruptKey::kGuest);
  EXPECT_EQ(mode().c_lflag & ISIG, 0U);
  EXPECT_EQ(mode().c_iflag & (ICRNL | IXON), 0U) << "Enter and Ctrl-S are the guest's, too";
}

TEST_F(RawTerminalTest, CanKeepCtrlCForTheUser) {
  const RawTerminal terminal(fd(), InterruptKey::kSignal);
  const termios now = mode();
  EXPECT_TRUE(is_raw());
  EXPECT_EQ(now.c_lflag & ISIG, static_cast<tcflag_t>(ISIG));
  EXPECT_EQ(now.c_cc[VINTR], 3);
  EXPECT_EQ(now.c_cc[VQUIT], _POSIX_VDISABLE);
  EXPECT_EQ(now.c_cc[VSUSP], _POSIX_VDISABLE);
}

TEST_F(RawTerminalTest, LeavesOutputAsItWas) {
  const tcflag_t before = mode().c_oflag;
  const RawTerminal terminal(fd(), InterruptKey::kGuest);
  EXPECT_EQ(mode().c_oflag, before);
}

TEST_F(RawTerminalTest, DoesNothingToAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  struct sigaction before {};
  sigaction(SIGCONT, nullptr, &before);
  const RawTerminal terminal(reader.get(), InterruptKey::kGuest);
  EXPECT_FALSE(terminal.is_terminal());
  struct sigaction after {};
  sigaction(SIGCONT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler) << "not even to the signals";
}

TEST_F(RawTerminalTest, GivesTheSignalHandlersBack) {
  struct sigaction before {};
  sigaction(SIGABRT, nullptr, &before);
  { const RawTerminal terminal(fd(), InterruptKey::kGuest); }
  struct sigaction after {};
  sigaction(SIGABRT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST_F(RawTerminalTest, CanBeUsedAgain) {
  { const RawTerminal terminal(fd(), InterruptKey::kGuest); }
  const RawTerminal terminal(fd(), InterruptKey::kGuest);
  EXPECT_TRUE(is_raw());
}

TEST_F(RawTerminalTest, IsRestoredWhenOneOfOurChecksAborts) {
  EXPECT_EXIT(
      {
        const RawTerminal terminal(fd(), InterruptKey::kGuest);
        if (is_raw()) {
          std::abort();
        }
      },
      testing::KilledBySignal(SIGABRT), "");
  EXPECT_TRUE(is_cooked());
}

TEST_F(RawTerminalTest, IsRestoredWhenAFatalSignalIsSent) {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
    const pid_t child = fork();
    if (child == 0) {
      for (const int each : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
        (void)signal(each, SIG_DFL);  // sanitizers have handlers of their own
      }
      const RawTerminal terminal(fd(), InterruptKey::kGuest);
      if (is_raw()) {
        (void)raise(number);
      }
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == number) << "signal " << number;
    EXPECT_TRUE(is_cooked()) << "signal " << number;
  }
}

TEST_F(RawTerminalTest, IsRestoredWhileStoppedAndRawWhenContinued) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) {
    const RawTerminal terminal(fd(), InterruptKey::kGuest);
    (void)raise(SIGTSTP);
    const char answer = is_raw() ? 'r' : 'c';
    _exit(write(writer.get(), &answer, 1) == 1 ? 0 : 1);
  }
  writer = UniqueFd();
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_TRUE(is_cooked());
  ASSERT_EQ(kill(child, SIGCONT), 0);
  char answer = 0;
  ASSERT_EQ(read(reader.get(), &answer, 1), 1);
  EXPECT_EQ(answer, 'r');
  ASSERT_EQ(waitpid(child, &status, 0), child);
}

TEST_F(RawTerminalTest, IsRawAgainAfterAShellTookItBack) {
  const RawTerminal terminal(fd(), InterruptKey::kGuest);
  cook();
  (void)raise(SIGCONT);
  EXPECT_TRUE(is_raw());
}

}  // namespace
}  // namespace nestling
