// The RAM pool: one contract for every backing; limits; what goes back to the host.
#include "addrspace/ram_pool.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/temporary_folder.h"

namespace nestling {
namespace {

using testing::TemporaryFolder;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t k2MiB = 2 * kMiB;

/// How many bytes of `range` the host holds in memory for an anonymous pool.
std::uint64_t resident_bytes(const RamPool& pool, HostPhysRange range) {
  std::vector<unsigned char> present(range.size() / kPageSize);
  EXPECT_EQ(mincore(pool.pointer(range.start()), range.size(), present.data()), 0);
  const auto pages = std::count_if(present.begin(), present.end(),
                                   [](unsigned char page) { return (page & 1U) != 0; });
  return static_cast<std::uint64_t>(pages) * kPageSize;
}

/// How many bytes the file behind the pool occupies.
std::uint64_t file_bytes(const RamPool& pool) {
  struct stat status {};
  EXPECT_EQ(fstat(pool.fd(), &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

void fill(std::span<std::byte> bytes) { std::memset(bytes.data(), 0x5a, bytes.size()); }

struct BackingCase {
  std::string_view name;
  std::function<PoolBacking(const TemporaryFolder&)> make;
};

std::ostream& operator<<(std::ostream& out, const BackingCase& backing) {
  return out << backing.name;
}

PoolBacking file_in(const TemporaryFolder& folder) {
  const std::string path = folder.file("ram");
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  // Something that must not show through.
  EXPECT_TRUE(write_all(file.get(), std::as_bytes(std::span("old content"))));
  return FileBacking{std::move(file)};
}

class EveryBacking : public ::testing::TestWithParam<BackingCase> {
 protected:
  [[nodiscard]] Result<std::unique_ptr<RamPool>> make_pool(std::uint64_t capacity,
                                                           std::uint64_t limit = UINT64_MAX) {
    return RamPool::create(
        {.capacity = capacity, .limit = limit, .backing = GetParam().make(folder_)});
  }

 private:
  TemporaryFolder folder_;
};

TEST_P(EveryBacking, HandsOutZeroedFramesAlignedToTheirSize) {
  auto pool = make_pool(32 * kMiB);
  ASSERT_TRUE(pool) << pool.error().message;
  const auto small = (*pool)->allocate(PageSize::k4KiB);
  const auto large = (*pool)->allocate(PageSize::k2MiB, 3);
  ASSERT_TRUE(small && large);
  EXPECT_EQ(large->size(), 3 * k2MiB);
  EXPECT_TRUE(large->start().is_aligned(k2MiB));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>((*pool)->pointer(large->start())) % k2MiB, 0U);
  EXPECT_TRUE(is_zero((*pool)->bytes(*small)));
  EXPECT_TRUE(is_zero((*pool)->bytes(*large)));
  EXPECT_EQ((*pool)->statistics().committed, 3 * k2MiB + kPageSize);
}

TEST_P(EveryBacking, ZeroesFramesAgainBeforeTheyAreReused) {
  auto pool = make_pool(2 * k2MiB);
  ASSERT_TRUE(pool) << pool.error().message;
  for (int round = 0; round < 3; ++round) {
    const auto extent = (*pool)->reserve(k2MiB);
    ASSERT_TRUE(extent);
    const HostPhysRange middle = HostPhysRange::of(extent->start() + kPageSize, 5 * kPageSize);
    ASSERT_TRUE((*pool)->commit(*extent));
    ASSERT_TRUE(is_zero((*pool)->bytes(*extent))) << "round " << round;
    fill((*pool)->bytes(*extent));
    // A part goes and comes back: its neighbours keep what they hold.
    (*pool)->uncommit(middle);
    ASSERT_TRUE((*pool)->commit(middle));
    EXPECT_TRUE(is_zero((*pool)->bytes(middle)));
    EXPECT_EQ(*(*pool)->pointer(extent->start()), std::byte{0x5a});
    EXPECT_EQ(*(*pool)->pointer(extent->start() + 6 * kPageSize), std::byte{0x5a});
    (*pool)->free(*extent);
  }
  EXPECT_EQ((*pool)->statistics().committed, 0U);
  EXPECT_EQ((*pool)->statistics().reserved, 0U);
}

TEST_P(EveryBacking, RefusesToPassItsLimitAndChangesNothing) {
  auto pool = make_pool(8 * kMiB, 3 * kPageSize);
  ASSERT_TRUE(pool) << pool.error().message;
  ASSERT_TRUE((*pool)->allocate(PageSize::k4KiB, 2));
  const RamPool::Statistics before = (*pool)->statistics();
  const auto refused = (*pool)->allocate(PageSize::k4KiB, 2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), (PoolError{.reason = PoolError::Reason::kLimit,
                                        .size = 2 * kPageSize,
                                        .available = kPageSize}));
  EXPECT_EQ((*pool)->statistics().committed, before.committed);
  EXPECT_EQ((*pool)->statistics().reserved, before.reserved);
  EXPECT_EQ((*pool)->statistics().refusals, 1U);
  EXPECT_TRUE((*pool)->allocate(PageSize::k4KiB));
}

INSTANTIATE_TEST_SUITE_P(
    RamPool, EveryBacking,
    ::testing::Values(BackingCase{"Anonymous",
                                  [](const TemporaryFolder&) { return AnonymousBacking{}; }},
                      BackingCase{"AnonymousWithoutHugePages",
                                  [](const TemporaryFolder&) {
                                    return AnonymousBacking{AnonymousBacking::HugePages::kNever};
                                  }},
                      BackingCase{"Memfd", [](const TemporaryFolder&) { return MemfdBacking{}; }},
                      BackingCase{"File", file_in}),
    [](const auto& test) { return std::string(test.param.name); });

std::unique_ptr<RamPool> pool_of(std::uint64_t capacity, PoolBacking backing = {}) {
  auto pool = RamPool::create({.capacity = capacity, .backing = std::move(backing)});
  EXPECT_TRUE(pool) << pool.error().message;
  return std::move(*pool);
}

TEST(RamPool, ReservesATerabyteWithoutCommittingAny) {
  const auto pool = pool_of(1ULL << 40, MemfdBacking{});
  const auto extent = pool->reserve(512ULL << 30, 1ULL << 30, 1ULL << 20);
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->start().value() % (1ULL << 30), 1ULL << 20);
  EXPECT_EQ(pool->statistics().committed, 0U);
  EXPECT_EQ(file_bytes(*pool), 0U);
}

TEST(RamPool, GivesAnonymousMemoryBackToTheHost) {
  const auto pool =
      pool_of(8 * kMiB, AnonymousBacking{.huge_pages = AnonymousBacking::HugePages::kNever});
  const auto extent = pool->allocate(PageSize::k2MiB);
  ASSERT_TRUE(extent);
  fill(pool->bytes(*extent));
  ASSERT_EQ(resident_bytes(*pool, *extent), k2MiB);
  pool->uncommit(HostPhysRange::of(extent->start() + kPageSize, kPageSize));
  EXPECT_EQ(resident_bytes(*pool, *extent), k2MiB - kPageSize);
  EXPECT_EQ(pool->statistics().wiped, 0U);
}

TEST(RamPool, KeepsOnlyCommittedFramesInItsMemfd) {
  const auto pool = pool_of(64 * kMiB, MemfdBacking{});
  const auto extent = pool->reserve(16 * kMiB);
  ASSERT_TRUE(extent);
  const HostPhysRange touched = HostPhysRange::of(extent->start() + 4 * kPageSize, 2 * kPageSize);
  ASSERT_TRUE(pool->commit(touched));
  fill(pool->bytes(touched));
  EXPECT_EQ(file_bytes(*pool), 2 * kPageSize);
  pool->uncommit(touched);
  EXPECT_EQ(file_bytes(*pool), 0U);
}

TEST(RamPool, StoresAFrameInItsMemfdAtTheOffsetThatIsItsAddress) {
  const auto pool = pool_of(8 * kMiB, MemfdBacking{});
  const auto frame = pool->allocate(PageSize::k4KiB);
  ASSERT_TRUE(frame);
  fill(pool->bytes(*frame));
  std::array<std::byte, 2> read_back{};
  ASSERT_EQ(pread(pool->fd(), read_back.data(), 2, static_cast<off_t>(frame->start().value())), 2);
  EXPECT_EQ(read_back[1], std::byte{0x5a});
}

TEST(RamPool, ReportsAFullDiskInsteadOfDyingOnItAtTheFirstTouch) {
  // A memfd sealed against growth stands for a full disk: fallocate beyond its end is refused.
  UniqueFd file(memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const int raw = file.get();
  auto pool = RamPool::create({.capacity = 8 * kMiB, .backing = FileBacking{std::move(file)}});
  ASSERT_TRUE(pool) << pool.error().message;
  const auto extent = (*pool)->reserve(k2MiB);
  ASSERT_TRUE(extent);
  ASSERT_EQ(ftruncate(raw, 0), 0);
  ASSERT_EQ(fcntl(raw, F_ADD_SEALS, F_SEAL_GROW), 0);
  const auto refused = (*pool)->commit(*extent);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, PoolError::Reason::kHost);
  EXPECT_EQ(refused.error().host_error, EPERM);
  EXPECT_EQ((*pool)->statistics().committed, 0U);
}

TEST(RamPool, AllocatesABatchWhereverThereIsRoomOrNotAtAll) {
  const auto pool = pool_of(8 * kMiB);
  const auto all = pool->reserve(7 * kMiB);
  ASSERT_TRUE(all);
  // Room for two frames of 2 MiB that do not adjoin.
  pool->release(HostPhysRange::of(HostPhysAddr(0), k2MiB));
  pool->release(HostPhysRange::of(HostPhysAddr(2 * k2MiB), k2MiB));
  std::array<HostPhysAddr, 3> frames{};
  const auto refused = pool->allocate_each(PageSize::k2MiB, frames);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, PoolError::Reason::kNoAddresses);
  EXPECT_EQ(pool->statistics().committed, 0U);
  ASSERT_FALSE(pool->allocate(PageSize::k2MiB, 2));
  ASSERT_TRUE(pool->allocate_each(PageSize::k2MiB, std::span(frames).first(2)));
  EXPECT_NE(frames[0], frames[1]);
  EXPECT_EQ(pool->statistics().committed, 2 * k2MiB);
}

TEST(RamPool, GivesItsWholeCapacityAsOneExtent) {
  const auto pool = pool_of(1ULL << 30);
  const auto extent = pool->reserve(1ULL << 30, 1ULL << 30);
  ASSERT_TRUE(extent);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pool->pointer(extent->start())) % (1ULL << 30), 0U);
  EXPECT_FALSE(pool->reserve(kPageSize));
}

TEST(RamPool, KeepsSingleFramesOutOfTheRoomForHugePages) {
  const auto pool = pool_of(32 * kMiB);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pool->allocate(PageSize::k4KiB));
    ASSERT_TRUE(pool->reserve(2 * kPageSize));
  }
  EXPECT_TRUE(pool->allocate(PageSize::k2MiB, 15));
}

TEST(RamPool, UsesTheRoomForHugePagesWhenNothingElseIsLeft) {
  const auto pool = pool_of(2 * k2MiB);
  std::uint64_t count = 0;
  while (pool->allocate(PageSize::k4KiB)) {
    ++count;
  }
  EXPECT_EQ(count, 2 * k2MiB / kPageSize);
}

TEST(RamPool, RefusesFramesWhoseSizeWraps) {
  const auto pool = pool_of(8 * kMiB);
  EXPECT_FALSE(pool->allocate(PageSize::k1GiB, UINT64_MAX / 2));
  EXPECT_FALSE(pool->allocate(PageSize::k4KiB, 0));
}

TEST(RamPool, RefusesACapacityThatIsNoMultipleOf2MiB) {
  for (const std::uint64_t capacity : {std::uint64_t{0}, kMiB, k2MiB + kPageSize, UINT64_MAX}) {
    const auto pool = RamPool::create({.capacity = capacity, .backing = {}});
    ASSERT_FALSE(pool) << capacity;
    EXPECT_EQ(pool.error().kind, ErrorKind::kUsage);
  }
}

TEST(RamPool, KnowsWhatIsReservedAndWhatIsInIt) {
  const auto pool = pool_of(8 * kMiB);
  const auto extent = pool->reserve(k2MiB);
  ASSERT_TRUE(extent);
  EXPECT_TRUE(pool->is_reserved(*extent));
  pool->release(HostPhysRange::of(extent->start(), kPageSize));
  EXPECT_FALSE(pool->is_reserved(*extent));
  EXPECT_TRUE(pool->contains(HostPhysRange::of(HostPhysAddr(8 * kMiB - 1), 1)));
  EXPECT_FALSE(pool->contains(HostPhysRange::of(HostPhysAddr(8 * kMiB - 1), 2)));
  EXPECT_FALSE(pool->contains(HostPhysRange::of(HostPhysAddr(UINT64_MAX), 1)));
}

TEST(RamPool, CommitsWholeHostPagesOfHugetlbAndGivesThemBackWhenTheLastPartGoes) {
  auto pool = RamPool::create({.capacity = 2 * k2MiB, .backing = HugetlbBacking{}});
  if (!pool) {
    GTEST_SKIP() << "hugetlb: " << pool.error().message;
  }
  const auto extent = (*pool)->reserve(2 * k2MiB);
  ASSERT_TRUE(extent);
  const HostPhysRange first = HostPhysRange::of(extent->start(), kPageSize);
  const HostPhysRange second = HostPhysRange::of(extent->start() + kPageSize, kPageSize);
  const auto committed = (*pool)->commit(first);
  if (!committed) {
    EXPECT_EQ(committed.error().reason, PoolError::Reason::kHost);
    GTEST_SKIP() << "no hugetlb pages set aside (vm.nr_hugepages): " << describe(committed.error());
  }
  fill((*pool)->bytes(first));
  ASSERT_TRUE((*pool)->commit(second));
  (*pool)->uncommit(first);
  EXPECT_TRUE(is_zero((*pool)->bytes(first)));
  EXPECT_EQ(file_bytes(**pool), k2MiB);
  (*pool)->uncommit(second);
  EXPECT_EQ(file_bytes(**pool), 0U);
}

TEST(RamPool, KeepsItsCountsUnderManyThreads) {
  const auto pool = pool_of(64 * kMiB);
  std::array<std::thread, 4> threads;
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (int i = 0; i < 300; ++i) {
        const auto frames = pool->allocate(PageSize::k4KiB, 1 + static_cast<unsigned>(i) % 7);
        ASSERT_TRUE(frames);
        fill(pool->bytes(*frames));
        pool->free(*frames);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(pool->statistics().committed, 0U);
  EXPECT_EQ(pool->statistics().reserved, 0U);
}

TEST(RamPool, CommitsNothingMoreOnceItIsRetired) {
  auto pool = RamPool::create({.capacity = 2 << 20, .backing = AnonymousBacking{}}).value();
  const HostPhysRange frames = pool->allocate(PageSize::k4KiB).value();
  pool->retire();
  EXPECT_FALSE(pool->allocate(PageSize::k4KiB).has_value());
  pool->free(frames);
  EXPECT_EQ(pool->statistics().committed, 0U);
}

}  // namespace
}  // namespace nestling
