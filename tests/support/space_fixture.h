// SpaceFixture: a pool and an address space for tests, and what can be seen of them from outside.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "addrspace/address_space.h"

namespace nestling::testing {

inline constexpr std::uint64_t kMiB = 1ULL << 20;
inline constexpr std::uint64_t kGiB = 1ULL << 30;

/// `size` bytes of guest memory from `start` on.
[[nodiscard]] inline GuestPhysRange guest(std::uint64_t start, std::uint64_t size) {
  return GuestPhysRange::of(GuestPhysAddr(start), size);
}

/// Everything an operation may change.
struct SpaceSnapshot {
  using AreaRecord = std::tuple<GuestPhysRange, HostPhysAddr, std::string, Access, std::uint64_t>;

  std::vector<AreaRecord> areas;
  std::vector<MappedRun> runs;
  std::uint64_t committed = 0;
  std::uint64_t reserved = 0;

  friend bool operator==(const SpaceSnapshot&, const SpaceSnapshot&) = default;
};

/// A pool of 16 GiB of addresses and, over it, a space from 0 on.
struct SpaceFixture {
  explicit SpaceFixture(AddressSpace::Options options = {.range = guest(0, 64 * kGiB)})
      : pool(make_pool()), space(make_space(*pool, options)) {}

  static std::unique_ptr<RamPool> make_pool() {
    auto made = RamPool::create(
        {.capacity = 16 * kGiB,
         .backing = AnonymousBacking{.huge_pages = AnonymousBacking::HugePages::kNever}});
    check(made.has_value(), "a pool for a test");
    return std::move(*made);
  }
  static std::unique_ptr<AddressSpace> make_space(RamPool& pool, AddressSpace::Options options) {
    auto made = AddressSpace::create(pool, options);
    check(made.has_value(), "a space for a test");
    return std::move(*made);
  }

  /// Frames for linear areas.
  [[nodiscard]] HostPhysAddr frames(PageSize size, std::uint64_t count = 1) const {
    return pool->allocate(size, count).value().start();
  }
  [[nodiscard]] std::byte* byte_at(GuestPhysAddr gpa) const {
    return pool->pointer(space->translate(gpa).value());
  }
  [[nodiscard]] SpaceSnapshot snapshot() const {
    SpaceSnapshot result;
    space->visit_areas(space->range(), [&](const Area& area) {
      result.areas.emplace_back(area.range, area.host, *area.name, area.access,
                                area.resident.get());
    });
    space->visit_pages(space->range(), [&](const MappedRun& run) { result.runs.push_back(run); });
    result.committed = pool->statistics().committed;
    result.reserved = pool->statistics().reserved;
    return result;
  }

  std::unique_ptr<RamPool> pool;
  std::unique_ptr<AddressSpace> space;
};

}  // namespace nestling::testing
