// The thread beside the vCPUs: every event arrives, input is never lost, and it always ends.
#include "vmm/control_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

/// Remembers what it was told, and lets a test wait for it.
class RecordingEvents final : public ControlEvents {
 public:
  void on_stop_signal(int signal) override {
    tell([&] { last_signal = signal; });
  }
  void on_deadline() override {
    tell([&] { ++deadlines; });
  }
  void on_tick() override {
    tell([&] { ++ticks; });
  }
  std::size_t on_input(std::span<const std::byte> bytes) override {
    std::size_t taken = 0;
    tell([&] {
      ++offers;
      taken = std::min(bytes.size(), room);
      room -= taken;
      for (const std::byte each : bytes.first(taken)) {
        input.push_back(static_cast<char>(each));
      }
    });
    return taken;
  }
  void on_input_end() override {
    tell([&] { input_ended = true; });
  }

  /// False when it does not come true within ten seconds.
  template <typename Condition>
  [[nodiscard]] bool eventually(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 10s, condition);
  }

  std::mutex mutex;
  std::condition_variable changed;
  int last_signal = 0;
  int deadlines = 0;
  int ticks = 0;
  int offers = 0;
  std::size_t room = 1 << 20;
  std::string input;
  bool input_ended = false;

 private:
  template <typename Change>
  void tell(Change change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
};

/// A pipe; what is written to the one end comes out of the other.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    read_end = UniqueFd(ends[0]);
    write_end = UniqueFd(ends[1]);
  }
  void send(std::string_view text) const {
    EXPECT_TRUE(write_all(write_end.get(), std::as_bytes(std::span(text))));
  }

  UniqueFd read_end;
  UniqueFd write_end;
};

class ControlLoopTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<ControlLoop> start(const ControlLoop::Config& config) {
    auto loop = ControlLoop::start(config, events_);
    EXPECT_TRUE(loop);
    return *std::move(loop);
  }

  StopSignalsHeld held_;
  RecordingEvents events_;
};

TEST_F(ControlLoopTest, TellsAStopSignalInsteadOfDyingOfIt) {
  const auto loop = start({.deadline = std::nullopt});
  kill(getpid(), SIGTERM);
  EXPECT_TRUE(events_.eventually([&] { return events_.last_signal == SIGTERM; }));
}

TEST_F(ControlLoopTest, TellsAPassedDeadlineOnce) {
  const auto loop = start({.deadline = steady_clock::now() + 5ms, .period = 1ms});
  EXPECT_TRUE(events_.eventually([&] { return events_.deadlines == 1 && events_.ticks > 20; }));
  EXPECT_EQ(events_.deadlines, 1);
}

TEST_F(ControlLoopTest, PassesInputOnAndSaysWhenItEnded) {
  Pipe pipe;
  const auto loop = start({.input_fd = pipe.read_end.get(), .deadline = std::nullopt});
  pipe.send("hello");
  EXPECT_TRUE(events_.eventually([&] { return events_.input == "hello"; }));
  EXPECT_FALSE(events_.input_ended);
  pipe.write_end = UniqueFd();
  EXPECT_TRUE(events_.eventually([&] { return events_.input_ended; }));
}

TEST_F(ControlLoopTest, OffersWhatWasNotTakenAgainWhenWoken) {
  Pipe pipe;
  events_.room = 3;
  const auto loop = start({.input_fd = pipe.read_end.get(), .deadline = std::nullopt});
  pipe.send("abcdef");
  pipe.write_end = UniqueFd();
  EXPECT_TRUE(events_.eventually([&] { return events_.input == "abc"; }));
  EXPECT_FALSE(events_.input_ended);
  {
    const std::lock_guard lock(events_.mutex);
    events_.room = 100;
  }
  loop->wake_input();
  EXPECT_TRUE(events_.eventually([&] { return events_.input == "abcdef" && events_.input_ended; }));
}

TEST_F(ControlLoopTest, EndsWhileNothingHappens) {
  const auto begin = steady_clock::now();
  { const auto loop = start({.deadline = begin + 1h, .period = 1h}); }
  EXPECT_LT(steady_clock::now() - begin, 1min);
}

}  // namespace
}  // namespace nestling
