// The pager: with made-up faults for what may go wrong, and with the host's own userfaultfd.
#include "vmm/memory/uffd_pager.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/fake_page_faults.h"
#include "tests/support/space_fixture.h"
#include "vmm/memory/userfault.h"

namespace nestling {
namespace {

using nestling::testing::FakePageFaults;
using nestling::testing::guest;
using nestling::testing::kGiB;
using nestling::testing::kMiB;
using nestling::testing::SpaceFixture;

AddressSpace::Options options(std::uint64_t granule) {
  return {.range = guest(0, 64 * kGiB), .fault_granule = granule};
}

/// 4 MiB of RAM at 1 MiB, and a pager over faults of one kind or the other.
struct Paged : SpaceFixture {
  explicit Paged(std::unique_ptr<PageFaultSource> source, std::uint64_t granule = kPageSize)
      : SpaceFixture(options(granule)) {
    auto started =
        UffdPager::start(*space, std::move(source), {.stop_run = [this](Verdict verdict) {
          const std::lock_guard lock(mutex);
          verdicts.push_back(std::move(verdict));
        }});
    check(started.has_value(), "a pager for a test");
    pager = *std::move(started);
    const auto mapped =
        space->map_alloc(guest(kMiB, 4 * kMiB), Populate::kOnTouch, {.name = "ram"});
    check(mapped.has_value(), "RAM for a test");
    space->visit_areas(guest(kMiB, 1), [&](const Area& area) { ram = pool->pointer(area.host); });
  }

  [[nodiscard]] std::uint64_t resident() const { return space->statistics().resident.total(); }

  std::mutex mutex;
  std::vector<Verdict> verdicts;
  std::unique_ptr<UffdPager> pager;  // goes before the space
  std::byte* ram = nullptr;          // the byte behind guest address 1 MiB
};

struct PagedByFake : Paged {
  PagedByFake() : PagedByFake(std::make_unique<FakePageFaults>().release()) {}

  FakePageFaults& faults;

 private:
  /// Takes `fake`, which the base owns from then on.
  explicit PagedByFake(FakePageFaults* fake)
      : Paged(std::unique_ptr<PageFaultSource>(fake)), faults(*fake) {}
};

TEST(UffdPager, PopulatesWhatIsTouchedAndLetsTheToucherGo) {
  PagedByFake world;
  EXPECT_EQ(world.faults.watched_bytes, 4 * kMiB);
  world.faults.touch(world.ram + 5 * kPageSize + 77);
  EXPECT_EQ(world.resident(), kPageSize);
  EXPECT_EQ(world.faults.installed_bytes, kPageSize);
  EXPECT_TRUE(world.space->translate(GuestPhysAddr(kMiB + 5 * kPageSize)));
  // A touch that lost the race for the same page installs nothing, but is let go.
  world.faults.touch(world.ram + 5 * kPageSize);
  EXPECT_EQ(world.faults.installed_bytes, kPageSize);
  EXPECT_EQ(world.pager->statistics().populated, 1U);
  EXPECT_EQ(world.pager->statistics().present, 1U);
}

TEST(UffdPager, InstallsWhatTheVmmPopulatesToo) {
  PagedByFake world;
  ASSERT_TRUE(world.space->translated_byte_buffer(guest(kMiB + 100, 8), Access::write(),
                                                  Unpopulated::kIsPopulated));
  EXPECT_EQ(world.faults.installed_bytes, kPageSize);
  EXPECT_EQ(world.pager->statistics().faults, 0U);
}

TEST(UffdPager, EndsTheRunWithNumbersWhenThereIsNoMemory) {
  PagedByFake world;
  world.pool->set_limit(world.pool->statistics().committed);
  world.faults.touch(world.ram);
  EXPECT_EQ(world.faults.released.size(), 1U);
  ASSERT_EQ(world.verdicts.size(), 1U);
  EXPECT_EQ(world.verdicts[0].kind, VerdictKind::kHostRefused);
  EXPECT_NE(world.verdicts[0].reason.find("--memory-limit allows"), std::string::npos)
      << world.verdicts[0].reason;
}

TEST(UffdPager, EndsTheRunWhenTheHostRefusesAFrame) {
  PagedByFake world;
  const auto before = world.snapshot();
  world.faults.fail_after(0);
  world.faults.touch(world.ram);
  EXPECT_EQ(world.verdicts.size(), 1U);
  world.faults.never_fail();
  // The words come from a second try, which may well succeed.
  ASSERT_TRUE(world.space->discard(guest(kMiB, kPageSize)));
  EXPECT_EQ(world.snapshot(), before);
}

TEST(UffdPager, WatchesExactlyWhatIsMapped) {
  PagedByFake world;
  ASSERT_TRUE(world.space->unmap(guest(2 * kMiB, kMiB)));
  EXPECT_EQ(world.faults.watched_bytes, 3 * kMiB);
  world.faults.touch(world.ram + kMiB);  // was unmapped while it was touched
  EXPECT_EQ(world.pager->statistics().strays, 1U);
  world.faults.touch(world.ram + 2 * kMiB);
  EXPECT_TRUE(world.space->translate(GuestPhysAddr(3 * kMiB)));
  ASSERT_TRUE(world.space->unmap(guest(0, kGiB)));
  EXPECT_EQ(world.faults.watched_bytes, 0U);
}

TEST(UffdPager, LeavesEverythingAsItWasWhicheverCallFails) {
  using Operation = Result<void, SpaceError> (*)(AddressSpace&);
  const std::vector<Operation> operations = {
      [](AddressSpace& space) { return space.unmap(guest(2 * kMiB, kMiB)); },
      [](AddressSpace& space) { return space.populate(guest(kMiB, 3 * kMiB)); },
      [](AddressSpace& space) {
        return space.map_alloc(guest(kGiB, kMiB), Populate::kNow, {.name = "more"});
      },
      [](AddressSpace& space) { return space.discard(guest(kMiB, kMiB)); }};
  for (const Operation operation : operations) {
    for (std::uint64_t calls = 0;; ++calls) {
      PagedByFake world;
      ASSERT_TRUE(world.space->populate(guest(kMiB + 3 * kPageSize, kPageSize)));
      const auto before = world.snapshot();
      const std::uint64_t watched = world.faults.watched_bytes;
      world.faults.fail_after(calls);
      if (operation(*world.space)) {
        break;
      }
      world.faults.never_fail();
      EXPECT_EQ(world.snapshot(), before);
      EXPECT_EQ(world.faults.watched_bytes, watched);
      ASSERT_LT(calls, 10U);
    }
  }
}

// --- on the host's own --------------------------------------------------------------------------

class UserfaultTest : public ::testing::Test {
 protected:
  /// A paged world, or a skipped test.
  [[nodiscard]] static std::unique_ptr<Paged> make_paged(std::uint64_t granule = kPageSize) {
    auto source = Userfault::open();
    if (!source) {
      [&] { GTEST_SKIP() << source.error().message; }();
      return nullptr;
    }
    return std::make_unique<Paged>(*std::move(source), granule);
  }
};

/// What the pager has counted when it has answered every fault so far.
UffdPager::Statistics settled(const UffdPager& pager) {
  for (;;) {
    const auto counts = pager.statistics();
    if (counts.faults == counts.populated + counts.present + counts.refused + counts.strays) {
      return counts;
    }
    std::this_thread::yield();
  }
}

std::atomic_ref<std::uint64_t> word_at(std::byte* ram, std::uint64_t page) {
  return std::atomic_ref<std::uint64_t>(
      *reinterpret_cast<std::uint64_t*>(ram + page * kPageSize + 8 * (page % 512)));
}

TEST_F(UserfaultTest, GivesZerosOnFirstTouchAndPopulatesTheGranule) {
  const auto world = make_paged(16 * kPageSize);
  if (world == nullptr) {
    return;
  }
  world->pager->name_this_thread({.kind = Actor::Kind::kVcpu, .index = 3});
  EXPECT_EQ(world->ram[40 * kPageSize + 5], std::byte{0});
  EXPECT_EQ(world->resident(), 16 * kPageSize);
  world->ram[33 * kPageSize] = std::byte{7};  // there since the first touch
  EXPECT_EQ(settled(*world->pager).faults, 1U);
  EXPECT_EQ(*world->byte_at(GuestPhysAddr(kMiB + 33 * kPageSize)), std::byte{7});
}

TEST_F(UserfaultTest, GivesWholeBlocksToTheHostAndSeesTheirFaultsAgainAfterADiscard) {
  const auto world = make_paged(2 * kMiB);
  if (world == nullptr) {
    return;
  }
  std::byte* const block = world->ram + kMiB;  // guest address 2 MiB: aligned in the host, too
  block[3] = std::byte{1};
  EXPECT_EQ(world->resident(), 2 * kMiB);
  block[kMiB] = std::byte{2};
  EXPECT_EQ(settled(*world->pager).faults, 1U);
  ASSERT_TRUE(world->space->discard(guest(3 * kMiB, kPageSize)));
  EXPECT_EQ(block[kMiB], std::byte{0});
  EXPECT_EQ(block[3], std::byte{1});
  EXPECT_EQ(settled(*world->pager).faults, 2U);
  EXPECT_EQ(world->resident(), 2 * kMiB);
  ASSERT_TRUE(world->space->unmap(guest(0, kGiB)));
}

TEST_F(UserfaultTest, LeavesSignalsToOtherThreads) {
  const auto world = make_paged();
  if (world == nullptr) {
    return;
  }
  // Held back here, it would go to any thread that takes it.
  static std::atomic<bool> was_taken = false;
  struct sigaction action {};
  action.sa_handler = [](int /*signal*/) { was_taken = true; };
  struct sigaction before {};
  ASSERT_EQ(sigaction(SIGTERM, &action, &before), 0);
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &held, nullptr), 0);
  kill(getpid(), SIGTERM);
  const timespec patience{.tv_sec = 5, .tv_nsec = 0};
  EXPECT_EQ(sigtimedwait(&held, nullptr, &patience), SIGTERM);
  EXPECT_FALSE(was_taken);
  pthread_sigmask(SIG_UNBLOCK, &held, nullptr);
  sigaction(SIGTERM, &before, nullptr);
}

TEST_F(UserfaultTest, FaultsAgainAfterADiscardAndFindsZeros) {
  const auto world = make_paged();
  if (world == nullptr) {
    return;
  }
  std::memset(world->ram, 0x55, 3 * kPageSize);
  ASSERT_TRUE(world->space->discard(guest(kMiB + kPageSize, kPageSize)));
  EXPECT_EQ(world->resident(), 2 * kPageSize);
  EXPECT_EQ(world->ram[kPageSize + 9], std::byte{0});
  EXPECT_EQ(world->ram[2 * kPageSize], std::byte{0x55});
  EXPECT_EQ(settled(*world->pager).populated, 4U);
}

TEST_F(UserfaultTest, ServesThreadsThatFaultOnTheSamePagesWhileADeviceReadsThem) {
  const auto world = make_paged(4 * kPageSize);
  if (world == nullptr) {
    return;
  }
  constexpr std::uint64_t kPages = 1024;
  constexpr std::uint64_t kThreads = 3;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (std::uint64_t seed = 0; seed < kThreads; ++seed) {
    threads.emplace_back([&, seed] {
      std::vector<std::uint64_t> pages(kPages);
      for (std::uint64_t i = 0; i < kPages; ++i) {
        pages[i] = i;
      }
      std::shuffle(pages.begin(), pages.end(), std::mt19937_64(seed / 2));  // two in lockstep
      for (const std::uint64_t page : pages) {
        word_at(world->ram, page).fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  std::thread device([&] {
    std::mt19937_64 random(9);
    for (int i = 0; i < 500; ++i) {
      const auto at = guest(kMiB + random() % kPages * kPageSize, 2 * kPageSize);
      const auto spans = world->space->translated_byte_buffer(
          *at.intersection(guest(kMiB, 4 * kMiB)), Access::read(), Unpopulated::kIsPopulated);
      ASSERT_TRUE(spans);
      for (const auto span : spans->spans()) {
        (void)std::atomic_ref<std::byte>(span.front()).load(std::memory_order_relaxed);
      }
    }
  });
  for (std::thread& thread : threads) {
    thread.join();
  }
  device.join();
  for (std::uint64_t page = 0; page < kPages; ++page) {
    ASSERT_EQ(word_at(world->ram, page).load(), kThreads) << page;
  }
  EXPECT_EQ(world->resident(), kPages * kPageSize);
  const auto space_statistics = world->space->statistics();
  EXPECT_LE(space_statistics.faults_of(FaultOutcome::kResolved), kPages / 4)
      << "a granule was populated twice";
  const auto counts = settled(*world->pager);
  EXPECT_EQ(counts.populated, space_statistics.faults_of(FaultOutcome::kResolved));
  EXPECT_EQ(counts.refused + counts.strays, 0U);
  EXPECT_FALSE(world->space->defect()) << *world->space->defect();
}

TEST_F(UserfaultTest, LosesNothingWhenPagesAreDiscardedWhileTheyAreTouched) {
  const auto world = make_paged();
  if (world == nullptr) {
    return;
  }
  constexpr std::uint64_t kPages = 8;
  constexpr std::uint64_t kReaders = 2;
  std::atomic<bool> stopping = false;
  std::atomic<std::uint64_t> torn = 0;
  std::vector<std::thread> threads;
  threads.reserve(kReaders);
  for (std::uint64_t seed = 0; seed < kReaders; ++seed) {
    threads.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!stopping) {
        // What a page holds is either what was written here or nothing.
        const std::uint64_t page = random() % kPages;
        auto word = word_at(world->ram, page);
        const std::uint64_t seen = word.load(std::memory_order_relaxed);
        torn += seen != 0 && seen != 0x5a5a + page ? 1U : 0U;
        word.store(0x5a5a + page, std::memory_order_relaxed);
      }
    });
  }
  for (int round = 0; round < 300; ++round) {
    ASSERT_TRUE(world->space->discard(guest(kMiB, kPages * kPageSize)));
    ASSERT_TRUE(world->space->populate(guest(kMiB, kPageSize)));
  }
  stopping = true;
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(torn, 0U);
  ASSERT_TRUE(world->space->discard(guest(kMiB, kPages * kPageSize)));
  EXPECT_EQ(world->resident(), 0U);
  EXPECT_EQ(word_at(world->ram, 3).load(), 0U);
}

TEST_F(UserfaultTest, LetsAToucherGoWhenTheLimitIsReachedAndSaysSo) {
  const auto world = make_paged();
  if (world == nullptr) {
    return;
  }
  world->ram[0] = std::byte{1};
  world->pool->set_limit(world->pool->statistics().committed);
  std::thread toucher([&] { EXPECT_EQ(world->ram[100 * kPageSize], std::byte{0}); });
  toucher.join();
  const std::lock_guard lock(world->mutex);
  ASSERT_FALSE(world->verdicts.empty());
  EXPECT_EQ(world->verdicts[0].kind, VerdictKind::kHostRefused);
  EXPECT_EQ(world->resident(), kPageSize);
}

}  // namespace
}  // namespace nestling
