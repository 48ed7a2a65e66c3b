// Readers, faulting vCPUs and one writer at the same time; made for ThreadSanitizer.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/space_fixture.h"

namespace nestling {
namespace {

using testing::guest;
using testing::kGiB;
using testing::kMiB;
using testing::SpaceFixture;

std::chrono::milliseconds duration() {
  return std::chrono::milliseconds(std::getenv("NESTLING_NIGHTLY") != nullptr ? 20'000 : 300);
}

TEST(AddressSpaceThreads, ShowReadersOnlyWhatWasTrueAtSomeInstant) {
  // Linear memory is always mapped to the frames at one distance, so every answer can be checked;
  // the writer cuts it, protects it, takes it away and maps it again, with pages of every size.
  constexpr std::uint64_t kSize = 16 * kMiB;
  const SpaceFixture fixture({.range = guest(0, 4 * kGiB), .largest_page = PageSize::k2MiB});
  AddressSpace& space = *fixture.space;
  const HostPhysAddr host = fixture.frames(PageSize::k2MiB, kSize / (2 * kMiB));
  ASSERT_TRUE(space.map_linear(guest(0, kSize), host, {.name = "linear"}));
  std::atomic<bool> stop = false;
  std::array<std::atomic<std::uint64_t>, 2> answers{};
  std::vector<std::thread> readers;
  for (std::size_t reader = 0; reader < answers.size(); ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random(reader);
      while (!stop.load(std::memory_order_relaxed)) {
        const GuestPhysAddr gpa(random() % kSize);
        const HostPhysAddr expected = host + gpa.value();
        if (const auto found = space.translate(gpa)) {
          ASSERT_EQ(*found, expected);
          answers.at(reader).fetch_add(1, std::memory_order_relaxed);
        }
        if (const auto page = space.query(gpa)) {
          ASSERT_EQ(page->host, expected);
          ASSERT_TRUE(page->access.allows(Access::read()));
          ASSERT_EQ(page->area, "linear");
        }
        if (const auto limit = space.translate_and_get_limit(gpa)) {
          ASSERT_EQ(limit->start(), expected);
          ASSERT_LE(limit->size(), kSize - gpa.value());
        }
        const GuestPhysRange few = guest(gpa.value() / 2, 10'000);
        if (const auto spans = space.translated_byte_buffer(few, Access::read())) {
          ASSERT_EQ(spans->spans().size(), 1U);
          ASSERT_EQ(spans->spans().front().data(), fixture.pool->pointer(host) + gpa.value() / 2);
        }
      }
    });
  }
  std::mt19937_64 random(99);  // NOLINT(cert-msc51-cpp): repeatable on purpose
  const auto end = std::chrono::steady_clock::now() + duration();
  std::uint64_t changes = 0;
  while (std::chrono::steady_clock::now() < end || changes < 100) {
    const std::uint64_t first = random() % (kSize / kPageSize) * kPageSize;
    const std::uint64_t size = std::min((1 + random() % 600) * kPageSize, kSize - first);
    const GuestPhysRange range = guest(first, size);
    if (random() % 2 == 0) {
      ASSERT_TRUE(space.unmap(range));
      ASSERT_TRUE(space.map_linear(range, host + first, {.name = "linear"}));
    } else {
      ASSERT_TRUE(space.protect(range, random() % 2 == 0 ? Access::read() : Access::all()));
    }
    if (random() % 64 == 0) {
      space.clear();
      ASSERT_TRUE(space.map_linear(guest(0, kSize), host, {.name = "linear"}));
    }
    ++changes;
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(space.defect(), std::nullopt);
  EXPECT_GT(answers.at(0).load() + answers.at(1).load(), 0U);
}

TEST(AddressSpaceThreads, LoseNoByteWhenManyFaultOnTheSamePages) {
  // Every thread adds to a counter in every page it faults on; the sum tells if a frame was lost.
  constexpr std::uint64_t kPages = 1024;
  constexpr std::uint64_t kThreads = 4;
  for (const std::uint64_t granule : {kPageSize, 16 * kPageSize, 512 * kPageSize}) {
    const SpaceFixture fixture({.range = guest(0, kGiB), .fault_granule = granule});
    AddressSpace& space = *fixture.space;
    ASSERT_TRUE(space.map_alloc(guest(0, kPages * kPageSize), Populate::kOnTouch, {.name = "ram"}));
    std::atomic<std::uint64_t> resolved = 0;
    std::vector<std::thread> vcpus;
    for (std::uint64_t vcpu = 0; vcpu < kThreads; ++vcpu) {
      vcpus.emplace_back([&, vcpu] {
        for (std::uint64_t i = 0; i < kPages; ++i) {
          const GuestPhysAddr gpa(((i * 31 + vcpu) % kPages) * kPageSize);
          const FaultResult fault = space.handle_page_fault(gpa, Access::write());
          ASSERT_TRUE(fault.outcome == FaultOutcome::kResolved ||
                      fault.outcome == FaultOutcome::kAlreadyPresent);
          resolved.fetch_add(fault.outcome == FaultOutcome::kResolved ? 1 : 0);
          auto* const counter = reinterpret_cast<std::uint64_t*>(fixture.byte_at(gpa));
          std::atomic_ref<std::uint64_t>(*counter).fetch_add(1);
        }
      });
    }
    for (std::thread& vcpu : vcpus) {
      vcpu.join();
    }
    EXPECT_EQ(resolved.load(), kPages * kPageSize / granule);
    for (std::uint64_t i = 0; i < kPages; ++i) {
      const auto* const counter =
          reinterpret_cast<std::uint64_t*>(fixture.byte_at(GuestPhysAddr(i * kPageSize)));
      ASSERT_EQ(*counter, kThreads) << "page " << i << ", granule " << granule;
    }
    EXPECT_EQ(space.defect(), std::nullopt);
  }
}

TEST(AddressSpaceThreads, ReadAllocatedMemoryWhileItIsDiscardedAndPopulated) {
  constexpr std::uint64_t kSize = 8 * kMiB;
  const SpaceFixture fixture({.range = guest(0, kGiB), .fault_granule = 16 * kPageSize});
  AddressSpace& space = *fixture.space;
  ASSERT_TRUE(space.map_alloc(guest(0, kSize), Populate::kNow, {.name = "ram"}));
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 random(reader);
      while (!stop.load(std::memory_order_relaxed)) {
        const GuestPhysAddr gpa(random() % (kSize / 8) * 8);
        const auto spans = space.translated_byte_buffer(GuestPhysRange::of(gpa, 8), Access::read(),
                                                        Unpopulated::kIsPopulated);
        // Another thread may discard it again in between, and then that is what is said.
        if (!spans) {
          ASSERT_EQ(spans.error().reason, MemoryFault::Reason::kNotPopulated);
        }
      }
    });
  }
  std::mt19937_64 random(5);  // NOLINT(cert-msc51-cpp): repeatable on purpose
  const auto end = std::chrono::steady_clock::now() + duration();
  for (int i = 0; std::chrono::steady_clock::now() < end || i < 100; ++i) {
    const std::uint64_t first = random() % (kSize / kPageSize) * kPageSize;
    const std::uint64_t size = std::min((1 + random() % 600) * kPageSize, kSize - first);
    ASSERT_TRUE(random() % 2 == 0 ? space.discard(guest(first, size))
                                  : space.populate(guest(first, size)));
  }
  stop = true;
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(space.defect(), std::nullopt);
}

}  // namespace
}  // namespace nestling
