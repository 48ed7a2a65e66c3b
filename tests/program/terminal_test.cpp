// The real program on a terminal of its own: keys reach the guest or the program, and the terminal
// is afterwards as it was before, however the run ends.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/program/program_test.h"

namespace nestling::testing {
namespace {

using std::chrono::steady_clock;

/// Keys typed, or a signal sent, once the terminal shows `when_shown`.
struct Reaction {
  std::string when_shown;
  std::string keys;
  int signal = 0;
};

/// A terminal with the program on it.
class TerminalSession {
 public:
  explicit TerminalSession(const std::vector<std::string>& arguments) {
    int master = -1;
    int slave = -1;
    if (openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) {
      ADD_FAILURE() << "openpty: " << std::strerror(errno);
      return;
    }
    master_ = UniqueFd(master);
    slave_ = UniqueFd(slave);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    before_ = settings();
    std::vector<std::string> words = arguments;
    words.insert(words.begin(), program_path());
    std::vector<char*> pointers;
    std::transform(words.begin(), words.end(), std::back_inserter(pointers),
                   [](std::string& word) { return word.data(); });
    pointers.push_back(nullptr);
    child_ = fork();
    if (child_ == 0) {
      execute(slave, pointers.data());
    }
  }
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;
  ~TerminalSession() {
    if (child_ > 0 && !exit_code_) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }

  /// The exit code, once the program has ended; -1 when it does not within half a minute, scaled().
  /// Does what `reactions` say, in order.
  int attend(std::vector<Reaction> reactions) {
    const auto deadline = steady_clock::now() + scaled(std::chrono::seconds(30));
    while (!has_ended()) {
      if (steady_clock::now() > deadline) {
        return -1;
      }
      read_for_a_moment();
      if (!reactions.empty() && shown_.find(reactions.front().when_shown) != std::string::npos) {
        react(reactions.front());
        reactions.erase(reactions.begin());
      }
    }
    read_for_a_moment();
    return *exit_code_;
  }

  [[nodiscard]] const std::string& shown() const { return shown_; }
  /// Whether lines and echo were off at the last reaction.
  [[nodiscard]] bool was_raw() const { return was_raw_; }
  [[nodiscard]] bool is_as_before() const {
    const termios now = settings();
    return now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag &&
           now.c_lflag == before_.c_lflag && now.c_cflag == before_.c_cflag;
  }

 private:
  [[noreturn]] static void execute(int terminal, char* const* arguments) {
    setsid();
    ioctl(terminal, TIOCSCTTY, 0);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      dup2(terminal, fd);
    }
    execv(arguments[0], arguments);
    _exit(127);
  }

  [[nodiscard]] termios settings() const {
    termios now{};
    EXPECT_EQ(tcgetattr(slave_.get(), &now), 0);
    return now;
  }

  bool has_ended() {
    int status = 0;
    if (!exit_code_ && waitpid(child_, &status, WNOHANG) == child_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    }
    return exit_code_.has_value();
  }

  void read_for_a_moment() {
    constexpr int kMoment = 20;  // milliseconds
    pollfd polled{.fd = master_.get(), .events = POLLIN, .revents = 0};
    while (poll(&polled, 1, kMoment) > 0) {
      std::array<char, 4096> chunk{};
      const ssize_t count = read(master_.get(), chunk.data(), chunk.size());
      if (count <= 0) {
        return;
      }
      shown_.append(chunk.data(), static_cast<std::size_t>(count));
    }
  }

  void react(const Reaction& reaction) {
    was_raw_ = (settings().c_lflag & (ICANON | ECHO)) == 0;
    if (reaction.signal != 0) {
      kill(child_, reaction.signal);
    }
    EXPECT_TRUE(write_all(master_.get(), std::as_bytes(std::span(reaction.keys))));
  }

  UniqueFd master_;
  UniqueFd slave_;
  termios before_{};
  pid_t child_ = -1;
  std::optional<int> exit_code_;
  std::string shown_;
  bool was_raw_ = false;
};

class OnATerminal : public GuestTest {
 protected:
  static constexpr const char* kEchoes = "echo until 0x04";
};

TEST_F(OnATerminal, KeysReachTheGuestOneByOneAndUnchanged) {
  TerminalSession session(run_arguments("serial-echo"));
  EXPECT_EQ(session.attend({{kEchoes, "a\rb\x04", 0}}), 3) << session.shown();
  expect_contains(session.shown(), "echoed 3 bytes");
  EXPECT_TRUE(session.was_raw());
  EXPECT_TRUE(session.is_as_before());
}

TEST_F(OnATerminal, ControlCInterrupts) {
  TerminalSession session(run_arguments("endless-loop"));
  EXPECT_EQ(session.attend({{"looping", "\x03", 0}}), 130) << session.shown();
  EXPECT_TRUE(session.is_as_before());
}

TEST_F(OnATerminal, ControlAXQuits) {
  TerminalSession session(run_arguments("serial-echo"));
  EXPECT_EQ(session.attend({{kEchoes, "\x01x", 0}}), 130) << session.shown();
  EXPECT_TRUE(session.is_as_before());
}

TEST_F(OnATerminal, ControlAHShowsTheKeys) {
  TerminalSession session(run_arguments("serial-echo"));
  EXPECT_EQ(session.attend({{kEchoes, "\x01h", 0}, {"Ctrl-A x", "\x04", 0}}), 0) << session.shown();
  EXPECT_TRUE(session.is_as_before());
}

TEST_F(OnATerminal, ItIsRestoredAfterATripleFault) {
  TerminalSession session(run_arguments("crash"));
  EXPECT_EQ(session.attend({}), 80) << session.shown();
  EXPECT_TRUE(session.is_as_before());
}

TEST_F(OnATerminal, ItIsRestoredAfterATimeout) {
  TerminalSession session({"run", kernel_path("endless-loop"), "--timeout", "200ms"});
  EXPECT_EQ(session.attend({}), 124) << session.shown();
  EXPECT_TRUE(session.is_as_before());
}

TEST_F(OnATerminal, ItIsRestoredAfterATermination) {
  TerminalSession session(run_arguments("endless-loop"));
  EXPECT_EQ(session.attend({{"looping", "", SIGTERM}}), 130) << session.shown();
  EXPECT_TRUE(session.was_raw());
  EXPECT_TRUE(session.is_as_before());
}

}  // namespace
}  // namespace nestling::testing
