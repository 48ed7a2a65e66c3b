// translate_virt: random two-stage walks of a long-mode guest, 1 GiB of 4 KiB pages in both stages,
// and of 2 MiB pages; with the second stage's answers cached, and without.
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "addrspace/space_stage2.h"

namespace nestling {
namespace {

constexpr std::uint64_t kMapped = 1ULL << 30;
constexpr std::uint64_t kTables = 1ULL << 30;  // guest-physical, behind what is mapped

/// A space of RAM with a guest's page tables in it that map 1 GiB from 0 to itself.
struct Guest {
  explicit Guest(PageSize page_size) {
    RamPool::Options pool_options;
    pool_options.capacity = 4ULL << 30;
    pool = std::move(RamPool::create(std::move(pool_options)).value());
    AddressSpace::Options options;
    options.range = GuestPhysRange::of(GuestPhysAddr(0), 2ULL << 30);
    options.largest_page = page_size;
    space = std::move(AddressSpace::create(*pool, options).value());
    AreaOptions area;
    area.name = "ram";
    const auto mapped = space->map_alloc(
        GuestPhysRange::of(GuestPhysAddr(0), kMapped + (4ULL << 20)), Populate::kNow, area);
    check(mapped.has_value(), "mapping the benchmark's RAM");
    set(GuestPhysAddr(kTables), kTables + 0x1003);
    set(GuestPhysAddr(kTables + 0x1000), kTables + 0x2003);
    const bool small = page_size == PageSize::k4KiB;
    for (std::uint64_t i = 0; i < 512; ++i) {
      const std::uint64_t table = kTables + 0x3000 + i * kPageSize;
      set(GuestPhysAddr(kTables + 0x2000 + i * 8), small ? table | 3 : i << 21 | 0x83);
      for (std::uint64_t j = 0; small && j < 512; ++j) {
        set(GuestPhysAddr(table + j * 8), i << 21 | j << 12 | 3);
      }
    }
    state.cr0 = 0x8001'0001;
    state.cr3 = kTables;
    state.cr4 = 0x20;
    state.efer = 0xd00;
  }
  void set(GuestPhysAddr gpa, std::uint64_t entry) const {
    const auto host = space->translate(gpa);
    const auto bytes = pool->bytes(HostPhysRange::of(host.value(), sizeof entry));
    check(exchange_entry(bytes, {0, entry}) == TableMemory::Swap::kDone, "a table's entry");
  }

  std::unique_ptr<RamPool> pool;
  std::unique_ptr<AddressSpace> space;
  x86_64::PagingState state;
};

void translate_virt_random(benchmark::State& run, SpaceStage2::Cache cache) {
  const Guest guest(run.range(0) == 4 ? PageSize::k4KiB : PageSize::k2MiB);
  SpaceStage2 stage2(*guest.space, cache);
  std::mt19937_64 random(1);
  std::vector<GuestVirtAddr> addresses;
  constexpr std::size_t kAddresses = 1 << 14;
  addresses.reserve(kAddresses);
  for (std::size_t i = 0; i < kAddresses; ++i) {
    addresses.emplace_back(random() % (static_cast<std::uint64_t>(run.range(1)) << 20));
  }
  std::size_t next = 0;
  for (auto _ : run) {
    const auto both = translate_virt(stage2, guest.state, addresses[next++ % addresses.size()], {});
    benchmark::DoNotOptimize(both.outcome->hpa);
  }
}

// Arguments: KiB a page (4, or 2048), MiB the addresses are spread over.
BENCHMARK_CAPTURE(translate_virt_random, plain, SpaceStage2::Cache::kOff)
    ->Args({4, 1024})
    ->Args({4, 2})
    ->Args({2048, 1024});
BENCHMARK_CAPTURE(translate_virt_random, cached, SpaceStage2::Cache::kOn)
    ->Args({4, 1024})
    ->Args({4, 2})
    ->Args({2048, 1024});

}  // namespace
}  // namespace nestling
