// The area tree: against std::map at random, with failing edits, and under concurrent readers.
#include "addrspace/area_map.h"

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace nestling {
namespace {

GuestPhysAddr page(std::uint64_t index) { return GuestPhysAddr(index * kPageSize); }

Area area_of(std::uint64_t first, std::uint64_t count) {
  return {.range = GuestPhysRange::of(page(first), count * kPageSize),
          .host = HostPhysAddr((first + 7) * kPageSize),
          .backend = Backend::kAlloc,
          .access = Access::read_write()};
}

/// The pages of an area; what tests compare.
std::pair<std::uint64_t, std::uint64_t> pages_of(const Area* area) {
  return area == nullptr
             ? std::pair<std::uint64_t, std::uint64_t>{0, 0}
             : std::pair{area->range.start().value() / kPageSize, area->range.size() / kPageSize};
}

struct AreaMapTest : ::testing::Test {
  ReaderEpochs epochs;
  AreaMap map{epochs};

  void insert(std::uint64_t first, std::uint64_t count) {
    AreaMap::Edit edit(map);
    ASSERT_TRUE(edit.insert(area_of(first, count)));
    edit.commit();
  }
  void erase(std::uint64_t first) {
    AreaMap::Edit edit(map);
    ASSERT_TRUE(edit.erase(page(first)));
    edit.commit();
  }
  [[nodiscard]] auto find(std::uint64_t index) const {
    const auto guard = epochs.enter();
    return pages_of(map.find(guard, page(index)));
  }
};

TEST_F(AreaMapTest, FindsNothingInAnEmptyMap) {
  const auto guard = epochs.enter();
  EXPECT_EQ(map.find(guard, page(0)), nullptr);
  EXPECT_EQ(map.find_from(guard, page(0)), nullptr);
  EXPECT_EQ(map.defect(), std::nullopt);
}

TEST_F(AreaMapTest, FindsAnAreaByEachOfItsBytesAndByNoOther) {
  insert(10, 5);
  const auto guard = epochs.enter();
  EXPECT_EQ(map.find(guard, GuestPhysAddr(10 * kPageSize - 1)), nullptr);
  EXPECT_NE(map.find(guard, GuestPhysAddr(10 * kPageSize)), nullptr);
  EXPECT_NE(map.find(guard, GuestPhysAddr(15 * kPageSize - 1)), nullptr);
  EXPECT_EQ(map.find(guard, GuestPhysAddr(15 * kPageSize)), nullptr);
  EXPECT_EQ(map.find(guard, GuestPhysAddr(UINT64_MAX)), nullptr);
}

TEST_F(AreaMapTest, FindsAnAreaThatGrewPastTheFirstAreaOfTheNextLeaf) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    insert(10 * i, 10);
  }
  // Whichever areas lead a leaf, their neighbour on the left has taken their pages.
  for (std::uint64_t i = 1; i < 100; i += 2) {
    AreaMap::Edit edit(map);
    ASSERT_TRUE(edit.erase(page(10 * i)));
    ASSERT_TRUE(edit.replace(area_of(10 * (i - 1), 20)));
    edit.commit();
  }
  for (std::uint64_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(find(i), std::pair(i / 20 * 20, std::uint64_t{20})) << i;
  }
  EXPECT_EQ(map.defect(), std::nullopt);
}

TEST_F(AreaMapTest, VisitsWhatOverlapsARangeInOrder) {
  for (const std::uint64_t first : {0U, 20U, 40U, 60U}) {
    insert(first, 10);
  }
  const auto guard = epochs.enter();
  std::vector<std::uint64_t> seen;
  map.visit(guard, GuestPhysRange::of(GuestPhysAddr(10 * kPageSize - 1), 30 * kPageSize + 2),
            [&](const Area& area) { seen.push_back(area.range.start().value() / kPageSize); });
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{0, 20, 40}));
}

TEST_F(AreaMapTest, ShowsAnEditOnlyWhenItIsCommitted) {
  insert(1, 1);
  {
    AreaMap::Edit edit(map);
    ASSERT_TRUE(edit.erase(page(1)));
    ASSERT_TRUE(edit.insert(area_of(5, 1)));
    EXPECT_EQ(edit.find(page(1)), nullptr);
    EXPECT_NE(edit.find(page(5)), nullptr);
    EXPECT_EQ(find(1).second, 1U);
    EXPECT_EQ(find(5).second, 0U);
  }
  EXPECT_EQ(find(1).second, 1U);
  EXPECT_EQ(map.size(), 1U);
}

TEST_F(AreaMapTest, ShrinksToNothingWhenAllAreasGo) {
  for (std::uint64_t i = 0; i < 5000; ++i) {
    insert(2 * i, 1);
  }
  EXPECT_GT(map.live_node_count(), 100U);
  for (std::uint64_t i = 0; i < 5000; ++i) {
    erase(2 * ((i * 1237) % 5000));
  }
  EXPECT_EQ(map.size(), 0U);
  EXPECT_EQ(map.live_node_count(), 0U);
}

TEST_F(AreaMapTest, KeepsFewNodesWhenMostAreasOfEveryLeafAreGone) {
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    insert(2 * i, 1);
  }
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    if (i % 20 != 0) {
      erase(2 * i);
    }
  }
  EXPECT_EQ(map.size(), 1000U);
  EXPECT_LT(map.live_node_count(), 200U);
  EXPECT_EQ(map.defect(), std::nullopt);
}

TEST(AreaMap, ChangesNothingWhateverNodeAnEditFailsToGet) {
  // Enough areas for three levels, so that splits and joins reach inner nodes.
  ReaderEpochs epochs;
  std::size_t needed = 0;
  for (std::size_t spare = 0;; ++spare) {
    AreaMap probe(epochs);
    {
      AreaMap::Edit edit(probe);
      for (std::uint64_t i = 0; i < 3000; ++i) {
        ASSERT_TRUE(edit.insert(area_of(2 * i, 1)));
      }
      edit.commit();
    }
    AreaMap map(epochs, {.node_limit = probe.node_count() + spare});
    {
      AreaMap::Edit edit(map);
      for (std::uint64_t i = 0; i < 3000; ++i) {
        ASSERT_TRUE(edit.insert(area_of(2 * i, 1)));
      }
      edit.commit();
    }
    const std::size_t before = map.node_count();
    bool done = true;
    {
      AreaMap::Edit edit(map);
      for (std::uint64_t i = 0; done && i < 40; ++i) {
        done = edit.erase(page(2 * (1000 + i)));
      }
      for (std::uint64_t i = 0; done && i < 10; ++i) {
        done = edit.insert(area_of(10'000 + 600 * i, 1));
      }
      if (done) {
        edit.commit();
      }
    }
    ASSERT_EQ(map.defect(), std::nullopt) << "with " << spare << " nodes";
    if (done) {
      EXPECT_EQ(map.size(), 2970U);
      needed = spare;
      break;
    }
    ASSERT_EQ(map.size(), 3000U);
    ASSERT_EQ(map.node_count(), before) << "leaked with " << spare << " nodes";
  }
  EXPECT_GE(needed, 3U);
}

TEST_F(AreaMapTest, AnswersLikeAnOrderedMapUnderRandomEdits) {
  std::mt19937_64 random(3);  // NOLINT(cert-msc51-cpp): repeatable on purpose
  std::map<std::uint64_t, std::uint64_t> model;
  constexpr std::uint64_t kPages = 8192;
  const auto model_find = [&](std::uint64_t at) -> std::pair<std::uint64_t, std::uint64_t> {
    const auto next = model.upper_bound(at);
    if (next == model.begin() || std::prev(next)->first + std::prev(next)->second <= at) {
      return {0, 0};
    }
    return *std::prev(next);
  };
  for (int round = 0; round < 6000; ++round) {
    AreaMap::Edit edit(map);
    auto staged = model;
    std::swap(staged, model);
    // Alternate between growing and shrinking phases, several changes to an edit.
    const bool growing = (round / 1500) % 2 == 0;
    for (std::uint64_t change = random() % 5; change != 0; --change) {
      const std::uint64_t at = random() % kPages;
      const auto here = model_find(at);
      if (here.second != 0 && (!growing || random() % 8 == 0)) {
        ASSERT_TRUE(edit.erase(page(here.first)));
        model.erase(here.first);
      } else if (here.second != 0) {
        const std::uint64_t shorter = 1 + random() % here.second;
        ASSERT_TRUE(edit.replace(area_of(here.first, shorter)));
        model[here.first] = shorter;
      } else if (growing) {
        const auto next = model.upper_bound(at);
        const std::uint64_t room = (next == model.end() ? kPages : next->first) - at;
        const std::uint64_t count = 1 + random() % std::min<std::uint64_t>(room, 3);
        ASSERT_TRUE(edit.insert(area_of(at, count)));
        model[at] = count;
      }
    }
    if (random() % 4 == 0) {
      std::swap(staged, model);  // abandoned
    } else {
      edit.commit();
    }
    const std::uint64_t at = random() % kPages;
    ASSERT_EQ(find(at), model_find(at)) << "round " << round;
    const auto guard = epochs.enter();
    const auto next =
        model_find(at).second != 0 ? model.find(model_find(at).first) : model.upper_bound(at);
    ASSERT_EQ(pages_of(map.find_from(guard, page(at))).first,
              next == model.end() ? 0 : next->first);
    if (round % 100 == 0) {
      ASSERT_EQ(map.defect(), std::nullopt) << "round " << round;
      ASSERT_EQ(map.size(), model.size());
    }
  }
}

TEST_F(AreaMapTest, ShowsReadersWholeEditsWhileTheWriterIsBusy) {
  // Every edit moves an area from an even place to the odd one beside it or back: each pair always
  // holds exactly one.
  constexpr std::uint64_t kPairs = 600;
  for (std::uint64_t i = 0; i < kPairs; ++i) {
    insert(2 * i, 1);
  }
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> lookups = 0;
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random(reader);
      while (!stop.load()) {
        const std::uint64_t pair = random() % kPairs;
        const auto guard = epochs.enter();
        const Area* const even = map.find_from(guard, page(2 * pair));
        ASSERT_NE(even, nullptr);
        const std::uint64_t found = even->range.start().value() / kPageSize;
        ASSERT_LE(found, 2 * pair + 1);
        ASSERT_EQ(even->host.value(), (found + 7) * kPageSize);
        lookups.fetch_add(1);
      }
    });
  }
  std::mt19937_64 random(9);  // NOLINT(cert-msc51-cpp): repeatable on purpose
  std::vector<bool> odd(kPairs);
  for (int i = 0; i < 20'000 || lookups.load() < 1000; ++i) {
    const std::uint64_t pair = random() % kPairs;
    AreaMap::Edit edit(map);
    ASSERT_TRUE(edit.erase(page(2 * pair + (odd.at(pair) ? 1 : 0))));
    odd.at(pair) = !odd.at(pair);
    ASSERT_TRUE(edit.insert(area_of(2 * pair + (odd.at(pair) ? 1 : 0), 1)));
    edit.commit();
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(map.size(), kPairs);
  EXPECT_EQ(map.defect(), std::nullopt);
}

}  // namespace
}  // namespace nestling
