// Nested page tables against a flat model: random changes, failures at every allocation, and every
// instant of an update.
#include <array>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/recording_entry_store.h"
#include "tests/support/table_harness.h"

namespace nestling {
namespace {

using testing::ChangeSource;
using testing::describe;
using testing::ModelPage;
using testing::RecordingEntryStore;
using testing::TableChange;
using testing::TableHarness;
using testing::TableModel;
using testing::test_rounds;
using testing::test_seed;
namespace oracle = testing::oracle;

template <typename Format>
class NestedPageTableModel : public ::testing::Test {};

using Formats = ::testing::Types<x86_64::Ept<4>, x86_64::Ept<5>, x86_64::AmdNested<4>,
                                 x86_64::AmdNested<5>, aarch64::Stage2ThreeLevels,
                                 aarch64::Stage2FourLevels, riscv64::Sv39x4, riscv64::Sv48x4>;
TYPED_TEST_SUITE(NestedPageTableModel, Formats);

TYPED_TEST(NestedPageTableModel, AgreesOnEveryPageAfterEveryChange) {
  for (const PageSize largest : kPageSizes) {
    TableHarness<TypeParam> harness({largest});
    ChangeSource<TypeParam> source(harness.model.window(), test_seed());
    const int rounds = test_rounds(60);
    for (int round = 0; round < rounds; ++round) {
      const TableChange change = source.next();
      SCOPED_TRACE(
          fmt::format("NESTLING_SEED={} round {}: {}", test_seed(), round, describe(change)));
      auto plan = harness.plan(change);
      ASSERT_TRUE(plan) << describe(plan.error());
      harness.table.apply(*std::move(plan));
      harness.model.apply(change);
      ASSERT_EQ(harness.difference(), "");
      for (int i = 0; i < 64; ++i) {
        ASSERT_EQ(harness.difference_at(source.below(harness.model.page_count()),
                                        source.below(kPageSize)),
                  "");
      }
    }
    for (std::size_t i = 0; i < harness.model.page_count(); i += 5) {
      ASSERT_EQ(harness.difference_at(i, i % kPageSize), "");
    }
    EXPECT_EQ(harness.table.statistics().splits > 0, largest != PageSize::k4KiB);
    EXPECT_EQ(harness.table.statistics().joins > 0, largest != PageSize::k4KiB);
    ASSERT_TRUE(harness.table.unmap(harness.model.window()));
    harness.table.reclaim();
    EXPECT_EQ(harness.frames.bytes_in_use(), kRootBytes<TypeParam>);
  }
}

TYPED_TEST(NestedPageTableModel, ChangesNothingWhenAnyTableCannotBeHad) {
  TableHarness<TypeParam> harness;
  ChangeSource<TypeParam> source(harness.model.window(), test_seed());
  int refusals = 0;
  const int rounds = test_rounds(60);
  for (int round = 0; round < rounds; ++round) {
    const TableChange change = source.next();
    SCOPED_TRACE(
        fmt::format("NESTLING_SEED={} round {}: {}", test_seed(), round, describe(change)));
    harness.table.reclaim();
    const std::uint64_t in_use = harness.frames.bytes_in_use();
    const std::vector<MappedRun> before = harness.runs();
    for (std::uint64_t allowed = 0;; allowed = allowed < 8 ? allowed + 1 : allowed * 2) {
      harness.frames.set_limit(in_use + allowed * kPageSize);
      auto plan = harness.plan(change);
      if (plan) {
        EXPECT_LE(plan->table_count(), allowed);
        harness.table.apply(*std::move(plan));
        break;
      }
      ++refusals;
      ASSERT_EQ(plan.error(), (TableError{TableError::Reason::kOutOfTables, change.range}));
      ASSERT_EQ(harness.frames.bytes_in_use(), in_use);
      ASSERT_TRUE(harness.runs() == before);
    }
    harness.model.apply(change);
    ASSERT_EQ(harness.difference(), "");
  }
  EXPECT_GT(refusals, rounds / 2);
}

TYPED_TEST(NestedPageTableModel, GivesItsFramesBackWhenAPlanIsDropped) {
  TableHarness<TypeParam> harness;
  const std::uint64_t in_use = harness.frames.bytes_in_use();
  {
    const auto plan = harness.table.plan_map(GuestPhysRange::of(GuestPhysAddr(0), 0x5000),
                                             {HostPhysAddr(0x1000), Access::read()});
    ASSERT_TRUE(plan);
    EXPECT_GT(harness.frames.bytes_in_use(), in_use);
  }
  EXPECT_EQ(harness.frames.bytes_in_use(), in_use);
  EXPECT_EQ(harness.difference(), "");
}

/// The pages at which a change of `range` could go wrong, and some others.
template <typename Source>
std::vector<std::size_t> telling_pages(const TableModel& model, GuestPhysRange range,
                                       Source& source) {
  std::set<std::size_t> pages = {0, model.page_count() - 1};
  const std::size_t first = model.index_of(range.start());
  const std::size_t last = model.index_of(range.last());
  for (const std::size_t edge : {first, last}) {
    for (const std::uint64_t size : {kPageSize, bytes_of(PageSize::k2MiB)}) {
      const std::size_t step = size / kPageSize;
      pages.insert(edge >= step ? edge - step : 0);
      pages.insert(edge);
      pages.insert(std::min(edge + step, model.page_count() - 1));
    }
  }
  for (int i = 0; i < 12; ++i) {
    pages.insert(source.below(model.page_count()));
    pages.insert(first + source.below(last - first + 1));
  }
  return {pages.begin(), pages.end()};
}

/// What raw tables hold for a page, put as the model puts it; malformed entries are a failure.
std::optional<ModelPage> as_model(const oracle::Outcome& outcome) {
  EXPECT_FALSE(std::holds_alternative<oracle::Malformed>(outcome)) << oracle::describe(outcome);
  if (const auto* page = std::get_if<oracle::Page>(&outcome)) {
    return ModelPage{HostPhysAddr(page->host), page->access, page->type};
  }
  return std::nullopt;
}

TYPED_TEST(NestedPageTableModel, ShowsEachPageOldOrNewAtEveryInstantOfAChange) {
  RecordingEntryStore::Watcher watcher;
  TableHarness<TypeParam, RecordingEntryStore> harness({}, testing::kModelWindow,
                                                       RecordingEntryStore(watcher));
  ChangeSource<TypeParam> source(harness.model.window(), test_seed());
  std::uint64_t instants = 0;
  const int rounds = test_rounds(60);
  for (int round = 0; round < rounds && !this->HasFailure(); ++round) {
    const TableChange change = source.next();
    SCOPED_TRACE(
        fmt::format("NESTLING_SEED={} round {}: {}", test_seed(), round, describe(change)));
    const std::vector<std::size_t> pages = telling_pages(harness.model, change.range, source);
    std::vector<std::optional<ModelPage>> old_pages;
    old_pages.reserve(pages.size());
    for (const std::size_t page : pages) {
      old_pages.push_back(harness.model.page(page));
    }
    harness.model.apply(change);
    std::vector<bool> is_new(pages.size());
    auto plan = harness.plan(change);
    ASSERT_TRUE(plan);
    watcher = [&] {
      ++instants;
      for (std::size_t i = 0; i < pages.size(); ++i) {
        const auto seen = as_model(harness.raw_walk(harness.model.address(pages[i])));
        const bool is_as_after = seen == harness.model.page(pages[i]);
        ASSERT_TRUE(is_as_after || (seen == old_pages[i] && !is_new[i]))
            << fmt::format("{:#x}", harness.model.address(pages[i]).value());
        is_new[i] = is_as_after && old_pages[i] != harness.model.page(pages[i]);
      }
    };
    harness.table.apply(*std::move(plan));
    watcher = nullptr;
    ASSERT_EQ(harness.difference(), "");
  }
  EXPECT_GT(instants, 500U);
}

}  // namespace
}  // namespace nestling
