// Timers come when they are due, once, and never after stop().
#include "vmm/timer_thread.h"

#include <atomic>
#include <future>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using namespace std::chrono_literals;

const Log kLog(Verbosity::kNormal);

/// Counts its calls, arms itself again as often as told, and fulfils a promise at the last.
class CountingClient final : public TimerClient {
 public:
  CountingClient(TimerService& timers, const Clock& clock, int repeats)
      : timers_(timers), clock_(clock), repeats_(repeats) {}

  void timer_expired() override {
    if (++calls < repeats_) {
      timers_.arm(*this, clock_.now() + 1ms);
    } else {
      done.set_value();
    }
  }

  std::atomic<int> calls = 0;
  std::promise<void> done;

 private:
  TimerService& timers_;
  const Clock& clock_;
  int repeats_;
};

TEST(TimerThread, CallsAClientThatArmsItselfAgain) {
  const SteadyWallClock clock;
  TimerThread timers(clock, kLog);
  CountingClient client(timers, clock, 3);
  const WallTime due = clock.now() + 5ms;
  timers.arm(client, due);
  client.done.get_future().wait();
  EXPECT_EQ(client.calls, 3);
  EXPECT_GE(clock.now(), due);
}

TEST(TimerThread, ServesTheEarlierOfTwoClientsFirst) {
  const SteadyWallClock clock;
  TimerThread timers(clock, kLog);
  CountingClient late(timers, clock, 1);
  CountingClient early(timers, clock, 1);
  timers.arm(late, clock.now() + 1h);
  timers.arm(early, clock.now() + 1ms);
  early.done.get_future().wait();
  EXPECT_EQ(late.calls, 0);
}

TEST(TimerThread, DoesNotCallAClientThatWasDisarmed) {
  const SteadyWallClock clock;
  TimerThread timers(clock, kLog);
  CountingClient gone(timers, clock, 1);
  CountingClient later(timers, clock, 1);
  timers.arm(gone, clock.now() + 20ms);
  timers.disarm(gone);
  timers.arm(later, clock.now() + 40ms);
  later.done.get_future().wait();
  EXPECT_EQ(gone.calls, 0);
}

TEST(TimerThread, StopsWhileATimerIsFarAway) {
  const SteadyWallClock clock;
  TimerThread timers(clock, kLog);
  CountingClient client(timers, clock, 1);
  timers.arm(client, clock.now() + 1h);
  timers.stop();
  timers.arm(client, clock.now());
  EXPECT_EQ(client.calls, 0);
}

}  // namespace
}  // namespace nestling
