// Many readers and one writer who splits, joins, empties and refills tables without pause.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "addrspace/stage2_table.h"
#include "tests/support/table_harness.h"

namespace nestling {
namespace {

using testing::HeapTableFrames;
using testing::test_rounds;
using testing::test_seed;

/// Every page is a hole, or mapped with one of two offsets, which readers can tell from the answer.
constexpr std::uint64_t kFirstOffset = 4ULL << 30;
constexpr std::uint64_t kSecondOffset = (8ULL << 30) + 0x3000;
constexpr GuestPhysRange kWindow =
    GuestPhysRange::of(GuestPhysAddr(0), (1ULL << 30) + (8ULL << 20));

struct Case {
  Stage2Kind kind;
  ReaderEpochs::Barrier barrier;
};

class NestedPageTableStress : public ::testing::TestWithParam<Case> {
 protected:
  /// How many answers of one reader were neither of what the writer ever maps.
  [[nodiscard]] std::uint64_t read_nonsense(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::uint64_t nonsense = 0;
    while (!is_over_.load(std::memory_order_relaxed)) {
      const std::uint64_t gpa = random() % kWindow.size();
      const auto guard = epochs_.enter();
      const auto found = table_.translate(guard, GuestPhysAddr(gpa));
      nonsense += found && !is_expected(gpa, found->value()) ? 1U : 0U;
      if (random() % 64 == 0) {
        const auto page = table_.query(guard, GuestPhysAddr(gpa));
        nonsense += page && !is_expected(page->start.value(), page->entry.frame.value()) ? 1U : 0U;
        const std::uint64_t start = gpa / kPageSize * kPageSize;
        const std::uint64_t size = std::min(kWindow.size() - start, std::uint64_t{8} << 20);
        table_.visit(
            guard, GuestPhysRange::of(GuestPhysAddr(start), size), [&](const MappedRun& run) {
              nonsense += is_expected(run.guest.start().value(), run.host.value()) ? 0U : 1U;
            });
      }
      reads_.fetch_add(1, std::memory_order_relaxed);
    }
    return nonsense;
  }

  [[nodiscard]] static bool is_expected(std::uint64_t gpa, std::uint64_t hpa) {
    return hpa == gpa + kFirstOffset || hpa == gpa + kSecondOffset;
  }

  void change_at_random(std::mt19937_64& random) {
    const std::uint64_t unit = bytes_of(kPageSizes.at(random() % 8 == 0 ? 2 : random() % 2));
    const std::uint64_t start = random() % kWindow.size() / unit * unit;
    const std::uint64_t size = std::min(unit * (1 + random() % 4), kWindow.size() - start);
    const auto range = GuestPhysRange::of(GuestPhysAddr(start), size);
    switch (random() % 4) {
      case 0:
        ASSERT_TRUE(table_.unmap(range));
        break;
      case 1:
        ASSERT_TRUE(table_.protect(range, Access::read()));
        break;
      case 2:
        ASSERT_TRUE(table_.map(range, {HostPhysAddr(start + kSecondOffset), Access::all()}));
        break;
      default:
        // Mostly this one: what is mapped so joins again.
        ASSERT_TRUE(table_.map(range, {HostPhysAddr(start + kFirstOffset), Access::read_write()}));
        break;
    }
  }

  HeapTableFrames frames_;
  ReaderEpochs epochs_{GetParam().barrier};
  Stage2Table table_ = Stage2Table::create(GetParam().kind, frames_, epochs_).value();
  std::atomic<bool> is_over_ = false;
  std::atomic<std::uint64_t> reads_ = 0;
};

constexpr auto kByWriter = ReaderEpochs::Barrier::kByWriterIfAllowed;
constexpr auto kByReaders = ReaderEpochs::Barrier::kByReaders;
INSTANTIATE_TEST_SUITE_P(Formats, NestedPageTableStress,
                         ::testing::Values(Case{Stage2Kind::kEpt4, kByWriter},
                                           Case{Stage2Kind::kEpt5, kByReaders},
                                           Case{Stage2Kind::kAArch64ThreeLevels, kByWriter},
                                           Case{Stage2Kind::kSv48x4, kByReaders}));

TEST_P(NestedPageTableStress, NeverShowsAReaderWhatWasNeverMapped) {
  std::atomic<std::uint64_t> nonsense = 0;
  std::vector<std::thread> readers;
  for (std::uint64_t i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] { nonsense += read_nonsense(test_seed() + i); });
  }
  std::mt19937_64 random(test_seed());
  const int changes = test_rounds(200);
  for (int change = 0; change < changes || reads_ < 1000; ++change) {
    change_at_random(random);
  }
  is_over_ = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(nonsense, 0U);
  EXPECT_GT(table_.statistics().joins, 0U);
  EXPECT_EQ(table_.defect() ? table_.defect()->what : "", "");
  ASSERT_TRUE(table_.unmap(kWindow));
  table_.reclaim();
  EXPECT_EQ(frames_.bytes_in_use(), table_.statistics().tables * kPageSize);
  EXPECT_LE(table_.statistics().tables, 4U) << "nothing but the root is left";
}

}  // namespace
}  // namespace nestling
