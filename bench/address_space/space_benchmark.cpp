// The address space as a whole: questions and changes, each beside what most VMMs do instead: a
// sorted vector of regions with binary search.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "addrspace/address_space.h"

namespace nestling {
namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kMiB = 1ULL << 20;

GuestPhysRange guest(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

/// A pool and a space with room for every benchmark. Frames are counted, never touched: the host's
/// zeroing is not what is measured.
struct World {
  explicit World(PageSize largest = PageSize::k1GiB, std::uint64_t granule = 2 * kMiB)
      : pool(std::move(RamPool::create({.capacity = 256 * kGiB, .backing = {}}).value())),
        space(std::move(AddressSpace::create(*pool, {.range = guest(0, 256 * kGiB),
                                                     .largest_page = largest,
                                                     .fault_granule = granule})
                            .value())) {}

  static void must(const Result<void, SpaceError>& result) {
    check(result.has_value(), "an operation of a benchmark failed");
  }

  std::unique_ptr<RamPool> pool;
  std::unique_ptr<AddressSpace> space;
};

/// The usual way: regions in a sorted vector.
class SortedRegions {
 public:
  struct Region {
    std::uint64_t start;
    std::uint64_t size;
    std::uint64_t host;
  };

  void add(Region region) { regions_.push_back(region); }  // ascending

  /// Host address and bytes from there on.
  [[nodiscard]] std::optional<std::pair<std::uint64_t, std::uint64_t>> find(
      std::uint64_t gpa) const {
    auto next = std::upper_bound(
        regions_.begin(), regions_.end(), gpa,
        [](std::uint64_t wanted, const Region& region) { return wanted < region.start; });
    if (next == regions_.begin()) {
      return std::nullopt;
    }
    --next;
    const std::uint64_t offset = gpa - next->start;
    if (offset >= next->size) {
      return std::nullopt;
    }
    return std::pair{next->host + offset, next->size - offset};
  }

  void erase(std::uint64_t start) {
    regions_.erase(std::lower_bound(
        regions_.begin(), regions_.end(), start,
        [](const Region& region, std::uint64_t wanted) { return region.start < wanted; }));
  }
  void insert(Region region) {
    regions_.insert(std::upper_bound(regions_.begin(), regions_.end(), region.start,
                                     [](std::uint64_t wanted, const Region& each) {
                                       return wanted < each.start;
                                     }),
                    region);
  }

 private:
  std::vector<Region> regions_;
};

/// A cheap stream of random numbers, so that drawing them does not hide what is measured.
class Stream {
 public:
  std::uint64_t below(std::uint64_t bound) {
    state_ = state_ * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    return (state_ >> 32) * bound >> 32;
  }

 private:
  std::uint64_t state_ = 1;
};

/// Areas of one page, a hole of one page behind each.
void map_many(const World& world, std::uint64_t areas) {
  for (std::uint64_t i = 0; i < areas; ++i) {
    World::must(world.space->map_linear(guest(2 * i * kPageSize, kPageSize),
                                        HostPhysAddr(i * kPageSize), {.name = "area"}));
  }
}

void limit_query(benchmark::State& state) {
  const World world;
  const auto areas = static_cast<std::uint64_t>(state.range(0));
  map_many(world, areas);
  Stream stream;
  for (auto _ : state) {
    const auto limit =
        world.space->translate_and_get_limit(GuestPhysAddr(2 * stream.below(areas) * kPageSize));
    benchmark::DoNotOptimize(limit->size());
  }
}
BENCHMARK(limit_query)->Arg(1)->Arg(1000)->Arg(100'000);

void limit_query_sorted_vector(benchmark::State& state) {
  SortedRegions regions;
  const auto areas = static_cast<std::uint64_t>(state.range(0));
  for (std::uint64_t i = 0; i < areas; ++i) {
    regions.add({2 * i * kPageSize, kPageSize, i * kPageSize});
  }
  Stream stream;
  for (auto _ : state) {
    const auto limit = regions.find(2 * stream.below(areas) * kPageSize);
    benchmark::DoNotOptimize(limit->second);
  }
}
BENCHMARK(limit_query_sorted_vector)->Arg(1)->Arg(1000)->Arg(100'000);

void byte_buffer(benchmark::State& state) {
  const World world;
  World::must(world.space->map_alloc(guest(0, kGiB), Populate::kNow, {.name = "ram"}));
  const auto size = static_cast<std::uint64_t>(state.range(0));
  Stream stream;
  for (auto _ : state) {
    const auto spans = world.space->translated_byte_buffer(
        guest(stream.below(kGiB - 2 * kMiB), size), Access::write());
    benchmark::DoNotOptimize(spans->spans().data());
  }
}
BENCHMARK(byte_buffer)->Arg(64)->Arg(4096)->Arg(64 << 10)->Arg(1 << 20);

void byte_buffer_scattered(benchmark::State& state) {
  // Pages whose frames stand in reverse: every page is a span, and an area.
  const World world;
  constexpr std::uint64_t kPages = 4096;
  for (std::uint64_t i = 0; i < kPages; ++i) {
    World::must(world.space->map_linear(guest(i * kPageSize, kPageSize),
                                        HostPhysAddr((kPages - i) * kPageSize), {.name = "area"}));
  }
  const auto size = static_cast<std::uint64_t>(state.range(0));
  Stream stream;
  for (auto _ : state) {
    const auto spans = world.space->translated_byte_buffer(
        guest(stream.below(kPages / 2) * kPageSize, size), Access::write());
    benchmark::DoNotOptimize(spans->spans().data());
  }
}
BENCHMARK(byte_buffer_scattered)->Arg(64)->Arg(4096)->Arg(64 << 10)->Arg(1 << 20);

void byte_buffer_half_populated(benchmark::State& state) {
  // Where not all of an area is there, the entries of the range have to be looked at.
  const World world(PageSize::k4KiB);
  World::must(world.space->map_alloc(guest(0, kGiB), Populate::kOnTouch, {.name = "ram"}));
  World::must(world.space->populate(guest(0, kGiB / 2)));
  const auto size = static_cast<std::uint64_t>(state.range(0));
  Stream stream;
  for (auto _ : state) {
    const auto spans = world.space->translated_byte_buffer(
        guest(stream.below(kGiB / 2 - 2 * kMiB), size), Access::write());
    benchmark::DoNotOptimize(spans->spans().data());
  }
}
BENCHMARK(byte_buffer_half_populated)->Arg(64)->Arg(4096)->Arg(64 << 10)->Arg(1 << 20);

void translate(benchmark::State& state) {
  const World world(kPageSizes.at(static_cast<std::size_t>(state.range(1))));
  const std::uint64_t size = static_cast<std::uint64_t>(state.range(0)) * kMiB;
  World::must(world.space->map_alloc(guest(0, size), Populate::kNow, {.name = "ram"}));
  Stream stream;
  for (auto _ : state) {
    const auto host = world.space->translate(GuestPhysAddr(stream.below(size)));
    benchmark::DoNotOptimize(host.value());
  }
}
BENCHMARK(translate)->ArgNames({"MiB", "page"})->ArgsProduct({{2, 1024, 65536}, {0, 1, 2}});

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr std::uint64_t kBatch = 64;  // operations for one reading of the clock

void map_lazy_gibibyte(benchmark::State& state) {
  const World world;
  for (auto _ : state) {
    const auto start = Clock::now();
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      World::must(
          world.space->map_alloc(guest(i * kGiB, kGiB), Populate::kOnTouch, {.name = "ram"}));
    }
    state.SetIterationTime(seconds_since(start) / kBatch);
    world.space->clear();
  }
}
BENCHMARK(map_lazy_gibibyte)->UseManualTime();

void populate_gibibyte(benchmark::State& state) {
  const World world(kPageSizes.at(static_cast<std::size_t>(state.range(0))));
  World::must(world.space->map_alloc(guest(0, kGiB), Populate::kOnTouch, {.name = "ram"}));
  for (auto _ : state) {
    const auto start = Clock::now();
    World::must(world.space->populate(guest(0, kGiB)));
    state.SetIterationTime(seconds_since(start));
    World::must(world.space->discard(guest(0, kGiB)));
  }
}
BENCHMARK(populate_gibibyte)->ArgName("page")->DenseRange(0, 2)->UseManualTime();

void page_fault(benchmark::State& state) {
  const World world(PageSize::k4KiB, kPageSize);
  constexpr std::uint64_t kPages = kGiB / kPageSize;
  constexpr std::uint64_t kTouches = kPages / 8;
  World::must(world.space->map_alloc(guest(0, kGiB), Populate::kOnTouch, {.name = "ram"}));
  const bool is_random = state.range(0) != 0;
  std::uint64_t page = 0;
  for (auto _ : state) {
    const auto start = Clock::now();
    for (std::uint64_t i = 0; i < kTouches; ++i) {
      page = (page + (is_random ? 99'991 : 1)) % kPages;
      benchmark::DoNotOptimize(
          world.space->handle_page_fault(GuestPhysAddr(page * kPageSize), Access::write()));
    }
    state.SetIterationTime(seconds_since(start) / static_cast<double>(kTouches));
    World::must(world.space->discard(guest(0, kGiB)));
  }
}
BENCHMARK(page_fault)->ArgName("random")->Arg(0)->Arg(1)->UseManualTime()->Iterations(200);

void unmap_gibibyte(benchmark::State& state) {
  const World world(kPageSizes.at(static_cast<std::size_t>(state.range(0))));
  for (auto _ : state) {
    World::must(world.space->map_alloc(guest(0, kGiB), Populate::kNow, {.name = "ram"}));
    const auto start = Clock::now();
    World::must(world.space->unmap(guest(0, kGiB)));
    state.SetIterationTime(seconds_since(start));
  }
}
BENCHMARK(unmap_gibibyte)->ArgName("page")->DenseRange(0, 2)->UseManualTime();

void unmap_one_area(benchmark::State& state) {
  const World world;
  const auto areas = static_cast<std::uint64_t>(state.range(0));
  const AreaOptions options{.name = "area"};
  for (std::uint64_t i = 0; i < areas; ++i) {
    World::must(
        world.space->map_alloc(guest(2 * i * kPageSize, kPageSize), Populate::kOnTouch, options));
  }
  Stream stream;
  std::vector<std::uint64_t> chosen;
  for (auto _ : state) {
    chosen.clear();
    while (chosen.size() < kBatch) {
      const std::uint64_t start = 2 * stream.below(areas) * kPageSize;
      if (std::find(chosen.begin(), chosen.end(), start) == chosen.end()) {
        chosen.push_back(start);
      }
    }
    const auto begin = Clock::now();
    for (const std::uint64_t start : chosen) {
      World::must(world.space->unmap(guest(start, kPageSize)));
    }
    state.SetIterationTime(seconds_since(begin) / kBatch);
    for (const std::uint64_t start : chosen) {
      World::must(world.space->map_alloc(guest(start, kPageSize), Populate::kOnTouch, options));
    }
  }
}
BENCHMARK(unmap_one_area)->Arg(1000)->Arg(100'000)->UseManualTime();

void unmap_one_area_sorted_vector(benchmark::State& state) {
  SortedRegions regions;
  const auto areas = static_cast<std::uint64_t>(state.range(0));
  for (std::uint64_t i = 0; i < areas; ++i) {
    regions.add({2 * i * kPageSize, kPageSize, i * kPageSize});
  }
  Stream stream;
  for (auto _ : state) {
    const std::uint64_t start = 2 * stream.below(areas) * kPageSize;
    const auto begin = Clock::now();
    regions.erase(start);
    state.SetIterationTime(seconds_since(begin));
    regions.insert({start, kPageSize, start / 2});
  }
}
BENCHMARK(unmap_one_area_sorted_vector)->Arg(1000)->Arg(100'000)->UseManualTime();

/// Readers beside a writer that never rests.
class BusyWriter : public benchmark::Fixture {
 public:
  void SetUp(benchmark::State& state) override {
    if (state.thread_index() != 0) {
      return;
    }
    world_ = std::make_unique<World>(PageSize::k2MiB);
    World::must(world_->space->map_alloc(guest(0, kGiB), Populate::kNow, {.name = "ram"}));
    stop_ = false;
    writer_ = std::thread([this] {
      Stream stream;
      while (!stop_.load(std::memory_order_relaxed)) {
        const GuestPhysRange range =
            guest(stream.below(kGiB / kPageSize - 64) * kPageSize, 64 * kPageSize);
        World::must(world_->space->protect(range, Access::read()));
        World::must(world_->space->protect(range, Access::all()));
        changes_.fetch_add(2, std::memory_order_relaxed);
      }
    });
  }
  void TearDown(benchmark::State& state) override {
    if (state.thread_index() != 0) {
      return;
    }
    stop_ = true;
    writer_.join();
    state.counters["changes"] = static_cast<double>(changes_.exchange(0));
    world_.reset();
  }

 protected:
  [[nodiscard]] const AddressSpace& space() const { return *world_->space; }

 private:
  std::unique_ptr<World> world_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> changes_ = 0;
  std::thread writer_;
};

// NOLINTNEXTLINE(readability-identifier-naming): the library's macro makes a class of it.
BENCHMARK_DEFINE_F(BusyWriter, translate)(benchmark::State& state) {
  Stream stream;
  for (auto _ : state) {
    benchmark::DoNotOptimize(space().translate(GuestPhysAddr(stream.below(kGiB))).has_value());
  }
}
BENCHMARK_REGISTER_F(BusyWriter, translate)->ThreadRange(1, 4)->UseRealTime();

}  // namespace
}  // namespace nestling
