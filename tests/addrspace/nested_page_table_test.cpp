// The nested page table, behaviour by behaviour: page sizes, splits, joins, refusals, readers.
#include "addrspace/nested_page_table.h"

#include <optional>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "addrspace/stage2_table.h"
#include "tests/support/heap_table_frames.h"
#include "tests/support/table_oracle.h"

namespace nestling {
namespace {

using testing::HeapTableFrames;
using Reason = TableError::Reason;
using Table = NestedPageTable<x86_64::Ept<4>>;

static_assert(!std::is_copy_constructible_v<Table>);
static_assert(!std::is_default_constructible_v<TablePlan>, "plans come from tables");
static_assert(!std::is_invocable_v<decltype(&Table::apply), Table&, const TablePlan&>,
              "a plan is used up");

constexpr std::uint64_t k2MiB = 2ULL << 20;
constexpr std::uint64_t k1GiB = 1ULL << 30;

GuestPhysRange guest(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}
TableMapping frames_at(std::uint64_t frame, Access access = Access::all()) {
  return {HostPhysAddr(frame), access};
}

/// Why a change was refused, or nothing when it was made.
std::optional<Reason> reason(const Result<void, TableError>& result) {
  return result ? std::nullopt : std::optional(result.error().reason);
}

class NestedPageTableTest : public ::testing::Test {
 protected:
  explicit NestedPageTableTest(TableOptions options = {})
      : table_(Table::create(frames_, epochs_, options).value()) {}

  [[nodiscard]] std::optional<std::uint64_t> translate(std::uint64_t gpa) const {
    const auto found = table_.translate(epochs_.enter(), GuestPhysAddr(gpa));
    return found ? std::optional(found->value()) : std::nullopt;
  }
  [[nodiscard]] std::optional<PageSize> page_size(std::uint64_t gpa) const {
    const auto found = table_.query(epochs_.enter(), GuestPhysAddr(gpa));
    return found ? std::optional(found->entry.size) : std::nullopt;
  }
  /// Tables beneath the root, when no reader holds any.
  [[nodiscard]] std::uint64_t tables() {
    table_.reclaim();
    return frames_.bytes_in_use() / kPageSize - 1;
  }
  HeapTableFrames frames_;
  ReaderEpochs epochs_;
  Table table_;
};

class NestedPageTableOfSmallPagesTest : public NestedPageTableTest {
 protected:
  NestedPageTableOfSmallPagesTest() : NestedPageTableTest({PageSize::k4KiB}) {}
};

TEST_F(NestedPageTableTest, IsAHoleEverywhereAtFirst) {
  EXPECT_EQ(translate(0), std::nullopt);
  EXPECT_EQ(translate((1ULL << 48) - 1), std::nullopt);
  EXPECT_EQ(tables(), 0U);
}

TEST_F(NestedPageTableTest, TranslatesEveryByteOfAPage) {
  ASSERT_TRUE(table_.map(guest(0x7000, 0x1000), frames_at(0x3000)));
  EXPECT_EQ(translate(0x7000), 0x3000U);
  EXPECT_EQ(translate(0x7fff), 0x3fffU);
  EXPECT_EQ(translate(0x6fff), std::nullopt);
  EXPECT_EQ(translate(0x8000), std::nullopt);
}

TEST_F(NestedPageTableTest, AnswersNothingAboveTheFormatsWidth) {
  ASSERT_TRUE(table_.map(guest(0, 0x1000), frames_at(0x3000)));
  EXPECT_EQ(translate(1ULL << 48), std::nullopt);
  EXPECT_EQ(translate(~0ULL), std::nullopt);
  const auto guard = epochs_.enter();
  EXPECT_TRUE(table_.walk(guard, GuestPhysAddr(1ULL << 48)).steps().empty());
}

TEST_F(NestedPageTableTest, MapsTheVeryLastPage) {
  constexpr std::uint64_t kLast = (1ULL << 48) - 0x1000;
  ASSERT_TRUE(table_.map(guest(kLast, 0x1000), frames_at((1ULL << 52) - 0x1000)));
  EXPECT_EQ(translate(kLast + 0xfff), (1ULL << 52) - 1);
}

TEST_F(NestedPageTableTest, MapsFramesBelowAndAboveTheirGuestAddress) {
  ASSERT_TRUE(table_.map(guest(0x10'0000, 0x2000), frames_at(0)));
  ASSERT_TRUE(table_.map(guest(0, 0x2000), frames_at(0x40'0000'0000)));
  EXPECT_EQ(translate(0x10'1008), 0x1008U);
  EXPECT_EQ(translate(0x1008), 0x40'0000'1008U);
}

TEST_F(NestedPageTableTest, UsesTheLargestPagesThatBothSidesAllow) {
  ASSERT_TRUE(table_.map(guest(k1GiB - k2MiB - 0x1000, k1GiB + 2 * k2MiB + 0x2000),
                         frames_at(3 * k1GiB - k2MiB - 0x1000)));
  EXPECT_EQ(page_size(k1GiB - k2MiB - 0x1000), PageSize::k4KiB);
  EXPECT_EQ(page_size(k1GiB - k2MiB), PageSize::k2MiB);
  EXPECT_EQ(page_size(k1GiB), PageSize::k1GiB);
  EXPECT_EQ(page_size(2 * k1GiB), PageSize::k2MiB);
  EXPECT_EQ(page_size(2 * k1GiB + k2MiB), PageSize::k4KiB);
}

TEST_F(NestedPageTableTest, UsesSmallPagesWhereTheFramesAreNotAlignedAlike) {
  ASSERT_TRUE(table_.map(guest(k2MiB, 2 * k2MiB), frames_at(k2MiB + 0x1000)));
  EXPECT_EQ(page_size(k2MiB), PageSize::k4KiB);
  EXPECT_EQ(translate(2 * k2MiB + 0x123), 2 * k2MiB + 0x1123U);
}

TEST_F(NestedPageTableOfSmallPagesTest, StaysSmall) {
  ASSERT_TRUE(table_.map(guest(0, 2 * k2MiB), frames_at(0)));
  EXPECT_EQ(page_size(0), PageSize::k4KiB);
  EXPECT_EQ(tables(), 4U);
}

TEST_F(NestedPageTableTest, LosesOnlyTheUnmappedPartOfAHugePage) {
  ASSERT_TRUE(table_.map(guest(0, k1GiB), frames_at(k1GiB)));
  ASSERT_TRUE(table_.unmap(guest(5 * k2MiB + 0x3000, 0x1000)));
  EXPECT_EQ(translate(5 * k2MiB + 0x2fff), k1GiB + 5 * k2MiB + 0x2fff);
  EXPECT_EQ(translate(5 * k2MiB + 0x3000), std::nullopt);
  EXPECT_EQ(translate(5 * k2MiB + 0x4000), k1GiB + 5 * k2MiB + 0x4000);
  EXPECT_EQ(page_size(4 * k2MiB), PageSize::k2MiB);
  EXPECT_EQ(table_.statistics().splits, 2U);
}

TEST_F(NestedPageTableTest, LeavesNothingStaleWhenAnUnmapStartsInsideAHugePage) {
  ASSERT_TRUE(table_.map(guest(0, 2 * k2MiB), frames_at(0)));
  ASSERT_TRUE(table_.unmap(guest(k2MiB / 2, k2MiB)));
  EXPECT_EQ(translate(k2MiB / 2 - 1), k2MiB / 2 - 1);
  EXPECT_EQ(translate(k2MiB / 2), std::nullopt);
  EXPECT_EQ(translate(k2MiB), std::nullopt);
  EXPECT_EQ(translate(k2MiB + k2MiB / 2), k2MiB + k2MiB / 2);
}

TEST_F(NestedPageTableTest, JoinsAHugePageWhenTheMissingPieceComesBack) {
  ASSERT_TRUE(table_.map(guest(0, k1GiB), frames_at(k1GiB)));
  ASSERT_TRUE(table_.unmap(guest(0x3000, 0x1000)));
  ASSERT_TRUE(table_.map(guest(0x3000, 0x1000), frames_at(k1GiB + 0x3000)));
  EXPECT_EQ(page_size(0), PageSize::k1GiB);
  EXPECT_EQ(tables(), 1U);
  EXPECT_EQ(table_.statistics().joins, 2U);
}

TEST_F(NestedPageTableTest, JoinsPagesThatComeOneByOneInAnyOrder) {
  for (std::uint64_t i = 0; i < 512; ++i) {
    const std::uint64_t page = i * 37 % 512 * kPageSize;
    ASSERT_TRUE(table_.map(guest(page, kPageSize), frames_at(k2MiB + page)));
  }
  EXPECT_EQ(page_size(0), PageSize::k2MiB);
}

TEST_F(NestedPageTableTest, DoesNotJoinWhatDiffers) {
  ASSERT_TRUE(table_.map(guest(0, k2MiB), frames_at(0)));
  ASSERT_TRUE(
      table_.map(guest(0, 0x1000), {HostPhysAddr(0), Access::all(), MemoryType::kWriteThrough}));
  EXPECT_EQ(page_size(0x1000), PageSize::k4KiB);
  ASSERT_TRUE(table_.map(guest(0, 0x1000), frames_at(0, Access::read())));
  EXPECT_EQ(page_size(0x1000), PageSize::k4KiB);
  ASSERT_TRUE(table_.map(guest(0, 0x1000), frames_at(0x20'0000)));
  EXPECT_EQ(page_size(0x1000), PageSize::k4KiB);
  ASSERT_TRUE(table_.map(guest(0, 0x1000), frames_at(0)));
  EXPECT_EQ(page_size(0x1000), PageSize::k2MiB);
}

TEST_F(NestedPageTableTest, ProtectSplitsAndJoinsAgain) {
  ASSERT_TRUE(table_.map(guest(0, k2MiB), frames_at(0)));
  ASSERT_TRUE(table_.protect(guest(0x1000, 0x1000), Access::read()));
  const auto guard = epochs_.enter();
  EXPECT_TRUE(table_.query(guard, GuestPhysAddr(0x1000))->entry.access == Access::read());
  EXPECT_TRUE(table_.query(guard, GuestPhysAddr(0x2000))->entry.access == Access::all());
  ASSERT_TRUE(table_.protect(guest(0, k2MiB), Access::all()));
  EXPECT_EQ(page_size(0), PageSize::k2MiB);
}

TEST_F(NestedPageTableTest, ProtectLeavesHolesAndTypesAlone) {
  ASSERT_TRUE(table_.map(guest(0x1000, 0x1000),
                         {HostPhysAddr(0x5000), Access::all(), MemoryType::kUncached}));
  ASSERT_TRUE(table_.protect(guest(0, k1GiB), Access::read()));
  EXPECT_EQ(translate(0), std::nullopt);
  const auto guard = epochs_.enter();
  EXPECT_EQ(
      table_.query(guard, GuestPhysAddr(0x1fff)),
      (MappedPage{GuestPhysAddr(0x1000),
                  {HostPhysAddr(0x5000), PageSize::k4KiB, Access::read(), MemoryType::kUncached}}));
}

TEST_F(NestedPageTableTest, SplitsNothingForAChangeThatChangesNothing) {
  ASSERT_TRUE(table_.map(guest(0, k1GiB), frames_at(0)));
  ASSERT_TRUE(table_.protect(guest(0x1000, 0x1000), Access::all()));
  ASSERT_TRUE(table_.map(guest(0x5000, 0x1000), frames_at(0x5000)));
  EXPECT_EQ(page_size(0), PageSize::k1GiB);
  EXPECT_EQ(table_.statistics().splits, 0U);
}

TEST_F(NestedPageTableTest, DoesNothingForAnEmptyRange) {
  ASSERT_TRUE(table_.map(guest(0, k2MiB), frames_at(0)));
  EXPECT_TRUE(table_.unmap(guest(0x1000, 0)));
  EXPECT_TRUE(table_.protect(guest(0x1000, 0), Access::read()));
  EXPECT_TRUE(table_.map(guest(0x1000, 0), frames_at(0)));
  EXPECT_EQ(page_size(0), PageSize::k2MiB);
}

TEST_F(NestedPageTableTest, GivesEmptyTablesBack) {
  ASSERT_TRUE(table_.map(guest(0x1000, 0x2000), frames_at(0x1000)));
  EXPECT_EQ(tables(), 3U);
  ASSERT_TRUE(table_.unmap(guest(0x1000, 0x1000)));
  EXPECT_EQ(tables(), 3U);
  ASSERT_TRUE(table_.unmap(guest(0x2000, 0x1000)));
  EXPECT_EQ(tables(), 0U);
}

TEST_F(NestedPageTableTest, KeepsTablesThatAReaderMayHold) {
  ASSERT_TRUE(table_.map(guest(0x1000, 0x1000), frames_at(0x1000)));
  {
    const auto guard = epochs_.enter();
    ASSERT_TRUE(table_.unmap(guest(0x1000, 0x1000)));
    EXPECT_EQ(tables(), 3U);
    EXPECT_GT(table_.statistics().retired, 0U);
  }
  EXPECT_EQ(tables(), 0U);
  EXPECT_EQ(table_.statistics().retired, 0U);
}

TEST_F(NestedPageTableTest, ReclaimsByItselfWhenMuchIsRetired) {
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(table_.map(guest(i * k1GiB, 0x1000), frames_at(0x1000)));
    ASSERT_TRUE(table_.unmap(guest(i * k1GiB, 0x1000)));
  }
  EXPECT_LT(frames_.bytes_in_use() / kPageSize, 300U);
}

TEST_F(NestedPageTableTest, TakesRetiredTablesBeforeItRefuses) {
  ASSERT_TRUE(table_.map(guest(0, 0x1000), frames_at(0x1000)));
  frames_.set_limit(frames_.bytes_in_use());
  for (std::uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(table_.unmap(guest(i * k1GiB, 0x1000)));
    ASSERT_TRUE(table_.map(guest((i + 1) * k1GiB, 0x1000), frames_at(0x1000)));
  }
}

TEST_F(NestedPageTableTest, RefusesWhatIsMisaligned) {
  EXPECT_EQ(reason(table_.map(guest(0x800, 0x1000), frames_at(0))), Reason::kMisaligned);
  EXPECT_EQ(reason(table_.map(guest(0, 0x1800), frames_at(0))), Reason::kMisaligned);
  EXPECT_EQ(reason(table_.map(guest(0, 0x1000), frames_at(0x10))), Reason::kMisaligned);
  EXPECT_EQ(reason(table_.unmap(guest(0x10, 0x1000))), Reason::kMisaligned);
  EXPECT_EQ(reason(table_.protect(guest(0, 1), Access::read())), Reason::kMisaligned);
}

TEST_F(NestedPageTableTest, RefusesWhatIsBeyondTheFormat) {
  EXPECT_EQ(reason(table_.map(guest(1ULL << 48, 0x1000), frames_at(0))), Reason::kBeyondGuest);
  EXPECT_EQ(reason(table_.map(guest((1ULL << 48) - 0x1000, 0x2000), frames_at(0))),
            Reason::kBeyondGuest);
  EXPECT_EQ(reason(table_.unmap(guest(~0ULL << 12, 0x1000))), Reason::kBeyondGuest);
  EXPECT_EQ(reason(table_.map(guest(0, 0x2000), frames_at((1ULL << 52) - 0x1000))),
            Reason::kBeyondHost);
  EXPECT_EQ(reason(table_.map(guest(0, 0x2000), frames_at(~0ULL << 12))), Reason::kBeyondHost);
}

TEST_F(NestedPageTableTest, RefusesAccessThatWouldMeanNotPresentOrWorse) {
  for (const Access access : {Access::none(), Access::write(), Access::execute()}) {
    EXPECT_EQ(reason(table_.map(guest(0, 0x1000), frames_at(0, access))), Reason::kNotExpressible);
    EXPECT_EQ(reason(table_.protect(guest(0, 0x1000), access)), Reason::kNotExpressible);
  }
}

TEST_F(NestedPageTableTest, VisitsRunsCutToTheRange) {
  ASSERT_TRUE(table_.map(guest(0, 2 * k2MiB), frames_at(k1GiB)));
  ASSERT_TRUE(table_.map(guest(2 * k2MiB, 0x3000), frames_at(k1GiB + 2 * k2MiB)));
  ASSERT_TRUE(table_.map(guest(2 * k2MiB + 0x3000, 0x1000), frames_at(0)));
  std::vector<MappedRun> runs;
  const auto guard = epochs_.enter();
  table_.visit(guard, guest(0x1000, 2 * k2MiB + 0x1000),
               [&](const MappedRun& run) { runs.push_back(run); });
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0], (MappedRun{guest(0x1000, 2 * k2MiB - 0x1000), HostPhysAddr(k1GiB + 0x1000),
                                PageSize::k2MiB, Access::all(), MemoryType::kWriteBack}));
  EXPECT_EQ(runs[1], (MappedRun{guest(2 * k2MiB, 0x2000), HostPhysAddr(k1GiB + 2 * k2MiB),
                                PageSize::k4KiB, Access::all(), MemoryType::kWriteBack}));
}

TEST_F(NestedPageTableTest, ShowsEveryStepOfAWalk) {
  ASSERT_TRUE(table_.map(guest(0x4020'1000, 0x1000), frames_at(0x7000)));
  const auto guard = epochs_.enter();
  const TableWalk walk = table_.walk(guard, GuestPhysAddr(0x4020'1abc));
  ASSERT_EQ(walk.steps().size(), 4U);
  EXPECT_EQ(walk.steps()[0].level, 3U);
  EXPECT_EQ(walk.steps()[0].entry, table_.root());
  EXPECT_EQ(walk.steps()[1].entry.value() % kPageSize, 8U);
  EXPECT_EQ(walk.steps()[2].entry.value() % kPageSize, 8U);
  EXPECT_EQ(walk.steps()[3].entry.value() % kPageSize, 8U);
  EXPECT_EQ(walk.steps()[3].raw, 0x7037U);
  EXPECT_EQ(walk.steps()[3].kind, EntryKind::kLeaf);
}

TEST_F(NestedPageTableTest, CanMove) {
  ASSERT_TRUE(table_.map(guest(0, 0x1000), frames_at(0x3000)));
  const Table moved = std::move(table_);
  EXPECT_EQ(moved.translate(epochs_.enter(), GuestPhysAddr(0x10))->value(), 0x3010U);
}

TEST(NestedPageTableDeathTest, TakesAStalePlanForABug) {
  HeapTableFrames frames;
  ReaderEpochs epochs;
  auto table = Table::create(frames, epochs).value();
  auto plan = table.plan_map(guest(0, 0x1000), frames_at(0));
  ASSERT_TRUE(plan);
  ASSERT_TRUE(table.map(guest(0, 0x1000), frames_at(0)));
  EXPECT_DEATH(table.apply(*std::move(plan)), "changed after this plan");
}

TEST(NestedPageTable, CannotBeCreatedWithoutRoomForItsRoot) {
  HeapTableFrames frames;
  frames.set_limit(3 * kPageSize);
  ReaderEpochs epochs;
  EXPECT_FALSE(NestedPageTable<riscv64::Sv39x4>::create(frames, epochs));
  EXPECT_TRUE(Table::create(frames, epochs));
  EXPECT_EQ(frames.bytes_in_use(), 0U);
}

TEST(Stage2Table, IsOfTheKindThatWasAskedFor) {
  for (const Stage2Kind kind : kStage2Kinds) {
    HeapTableFrames frames;
    ReaderEpochs epochs;
    auto table = Stage2Table::create(kind, frames, epochs);
    ASSERT_TRUE(table);
    EXPECT_EQ(table->kind(), kind);
    const GuestPhysRange last = guest((1ULL << table->gpa_bits()) - 0x1000, 0x1000);
    ASSERT_TRUE(table->map(last, frames_at(0x1000, Access::read_write()))) << table->format_name();
    EXPECT_EQ(table->translate(epochs.enter(), last.last()), HostPhysAddr(0x1fff));
    EXPECT_EQ(reason(table->map(guest(1ULL << table->gpa_bits(), 0x1000), frames_at(0))),
              Reason::kBeyondGuest);
    EXPECT_EQ(table->effective_type(MemoryType::kWriteBack), MemoryType::kWriteBack);
  }
}

}  // namespace
}  // namespace nestling
