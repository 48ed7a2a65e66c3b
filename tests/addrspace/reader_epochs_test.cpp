// Reader epochs: who is inside, who has left, and threads that come and go.
#include "addrspace/reader_epochs.h"

#include <array>
#include <atomic>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

using Barrier = ReaderEpochs::Barrier;

static_assert(!std::is_copy_constructible_v<ReaderEpochs::Guard>);
static_assert(!std::is_move_constructible_v<ReaderEpochs::Guard>);
static_assert(!std::is_constructible_v<ReaderEpochs::Guard>, "only enter() makes a guard");

class ReaderEpochsTest : public ::testing::TestWithParam<Barrier> {
 protected:
  ReaderEpochs epochs_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Barriers, ReaderEpochsTest,
                         ::testing::Values(Barrier::kByWriterIfAllowed, Barrier::kByReaders));

TEST_P(ReaderEpochsTest, HasBeenLeftWhenNobodyEverEntered) {
  EXPECT_TRUE(epochs_.have_left(epochs_.end_epoch()));
}

TEST_P(ReaderEpochsTest, WaitsForWhoIsInside) {
  std::uint64_t epoch = 0;
  {
    const auto guard = epochs_.enter();
    epoch = epochs_.end_epoch();
    EXPECT_FALSE(epochs_.have_left(epoch));
  }
  EXPECT_TRUE(epochs_.have_left(epoch));
}

TEST_P(ReaderEpochsTest, DoesNotWaitForWhoEnteredLater) {
  const std::uint64_t epoch = epochs_.end_epoch();
  const auto guard = epochs_.enter();
  EXPECT_TRUE(epochs_.have_left(epoch));
  EXPECT_FALSE(epochs_.have_left(epochs_.end_epoch()));
}

TEST_P(ReaderEpochsTest, StaysInsideUntilTheOutermostGuardGoes) {
  std::uint64_t epoch = 0;
  {
    const auto outer = epochs_.enter();
    { const auto inner = epochs_.enter(); }
    epoch = epochs_.end_epoch();
    EXPECT_FALSE(epochs_.have_left(epoch));
  }
  EXPECT_TRUE(epochs_.have_left(epoch));
}

TEST_P(ReaderEpochsTest, SeesAReaderOfAnotherThread) {
  std::atomic<int> stage = 0;
  std::thread reader([&] {
    const auto guard = epochs_.enter();
    stage = 1;
    stage.notify_one();
    stage.wait(1);
  });
  stage.wait(0);
  const std::uint64_t epoch = epochs_.end_epoch();
  EXPECT_FALSE(epochs_.have_left(epoch));
  stage = 2;
  stage.notify_one();
  epochs_.wait(epoch);
  EXPECT_TRUE(epochs_.have_left(epoch));
  reader.join();
}

TEST_P(ReaderEpochsTest, KeepsDomainsApart) {
  ReaderEpochs other(GetParam());
  const auto guard = other.enter();
  EXPECT_TRUE(epochs_.have_left(epochs_.end_epoch()));
}

TEST_P(ReaderEpochsTest, HasRoomForMoreThreadsThanItsFirstBlock) {
  constexpr int kThreads = 150;
  std::atomic<int> inside = 0;
  std::atomic<bool> may_leave = false;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      const auto guard = epochs_.enter();
      ++inside;
      may_leave.wait(false);
      --inside;
    });
  }
  while (inside != kThreads) {
    std::this_thread::yield();
  }
  const std::uint64_t epoch = epochs_.end_epoch();
  EXPECT_FALSE(epochs_.have_left(epoch));
  may_leave = true;
  may_leave.notify_all();
  epochs_.wait(epoch);
  EXPECT_EQ(inside, 0);
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_P(ReaderEpochsTest, KeepsWhatReadersHoldUnderAWriterThatNeverRests) {
  // A cell is only rewritten when every reader who could hold it has left: readers see it whole.
  struct Cell {
    std::uint64_t value;
    std::uint64_t copy;
  };
  std::array<Cell, 8> cells{};
  std::atomic<Cell*> current = cells.data();
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> reads = 0;
  std::atomic<std::uint64_t> torn = 0;
  std::vector<std::thread> readers;
  readers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!is_over.load(std::memory_order_relaxed)) {
        {
          const auto guard = epochs_.enter();
          const Cell* cell = current.load(std::memory_order_acquire);
          torn.fetch_add(cell->value != cell->copy ? 1U : 0U, std::memory_order_relaxed);
        }
        reads.fetch_add(1, std::memory_order_relaxed);
        std::this_thread::yield();  // a thread that is put aside inside a guard keeps all waiting
      }
    });
  }
  for (std::uint64_t round = 1; round < 300 || reads < 300; ++round) {
    Cell& next = cells[round % cells.size()];
    next.value = round;  // plain stores: ThreadSanitizer would object if a reader still held it
    next.copy = round;
    current.store(&next, std::memory_order_release);
    epochs_.wait(epochs_.end_epoch());
  }
  is_over = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(torn, 0U);
}

TEST(ReaderEpochs, FallsBackToReadersWhenToldTo) {
  EXPECT_EQ(ReaderEpochs(Barrier::kByReaders).barrier(), Barrier::kByReaders);
}

}  // namespace
}  // namespace nestling
