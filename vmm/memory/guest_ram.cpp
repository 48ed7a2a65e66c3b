// Areas in a pool of anonymous memory, and mincore() to see which of their pages exist.
#include "vmm/memory/guest_ram.h"

#include <sys/mman.h>
#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "vmm/native.h"

namespace nestling {

namespace {

constexpr std::uint64_t kHugePage = bytes_of(PageSize::k2MiB);

/// Addresses for `ranges`, each placed like its guest addresses modulo the host's page, and for the
/// tables that would map all of it in 4 KiB pages. Addresses cost nothing.
std::uint64_t capacity_for(std::span<const GuestPhysRange> ranges, PageSize host_page) {
  const std::uint64_t unit = std::max(kHugePage, bytes_of(host_page));
  const auto rounded_up = [unit](std::uint64_t size) { return (size + unit - 1) & ~(unit - 1); };
  std::uint64_t capacity = rounded_up(8 * kHugePage);
  for (const GuestPhysRange& range : ranges) {
    capacity += rounded_up(range.size()) + unit + rounded_up(range.size() / 256);
  }
  return capacity;
}

PoolBacking backing_for(const GuestMemoryConfig& config) {
  if (config.huge) {
    return HugetlbBacking{.page_size = *config.huge};
  }
  return AnonymousBacking{AnonymousBacking::HugePages::kNever};
}

/// True when the host has `size` bytes several times over.
bool fits_easily(std::uint64_t size) {
  struct sysinfo info {};
  constexpr std::uint64_t kTimes = 2;
  return sysinfo(&info) == 0 &&
         size <= (std::uint64_t{info.freeram} + info.bufferram) * info.mem_unit / kTimes;
}

Error refused(const SpaceError& error) {
  return make_error(ErrorKind::kHostRefused, "guest RAM: {}", describe(error));
}

/// The first use of a pool of huge pages failed.
Error no_huge_page(PageSize size) {
  const std::uint64_t kib = bytes_of(size) >> 10;
  return make_error(ErrorKind::kHostRefused,
                    "the host has no free huge page of {} KiB. Set some aside, as root: echo N > "
                    "/sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages",
                    kib, kib);
}

}  // namespace

Result<std::unique_ptr<GuestRam>> GuestRam::create(const GuestMemoryConfig& config,
                                                   std::span<const GuestPhysRange> ranges,
                                                   std::span<const GuestPhysRange> others) {
  const PageSize host_page = config.huge.value_or(PageSize::k2MiB);
  auto pool = RamPool::create(
      {.capacity = capacity_for(ranges, host_page) + capacity_for(others, host_page),
       .limit = config.limit.value_or(UINT64_MAX),
       .backing = backing_for(config)});
  if (!pool) {
    return failure(pool.error());
  }
  constexpr std::uint64_t kFourLevelWidth = 48;
  auto space = AddressSpace::create(
      **pool, {.range = GuestPhysRange::of(GuestPhysAddr(0), 1ULL << kFourLevelWidth),
               .format = native_stage2(),
               .fault_granule = kPageSize});
  if (!space) {
    return failure(config.huge ? no_huge_page(*config.huge) : space.error());
  }
  return std::unique_ptr<GuestRam>(new GuestRam(*std::move(pool), *std::move(space), ranges));
}

std::uint64_t GuestRam::size() const {
  std::uint64_t sum = 0;
  for (const GuestPhysRange& range : ranges_) {
    sum += range.size();
  }
  return sum;
}

Result<void> GuestRam::map_ram(HugePages huge_pages) {
  for (const GuestPhysRange& range : ranges_) {
    const auto mapped = space_->map_alloc(range, Populate::kOnTouch, {.name = "ram"});
    if (!mapped) {
      return failure(refused(mapped.error()));
    }
    space_->visit_areas(range, [&](const Area& area) {
      regions_.push_back({range, pool_->bytes(HostPhysRange::of(area.host, range.size()))});
    });
  }
  if (huge_pages == HugePages::kWhereTheyFit && fits_easily(size())) {
    constexpr std::uint64_t kSmallGuests = 4ULL << 20;
    for (const Region& region : regions_) {
      const bool is_first = region.guest == regions_.front().guest;
      const std::uint64_t skipped = is_first ? std::min(kSmallGuests, region.host.size()) : 0;
      const auto advised = region.host.subspan(skipped);
      // Advice: without it the host decides, and nothing else depends on it.
      (void)madvise(advised.data(), advised.size(), MADV_HUGEPAGE);
    }
  }
  return {};
}

Result<void> GuestRam::populate_in_host(const Region& region) {
  if (const auto done = space_->populate(region.guest); !done) {
    return failure(refused(done.error()));
  }
  constexpr int kMadvisePopulateWrite = 23;  // of Linux 5.14, newer than some headers
  constexpr std::uint64_t kChunk = bytes_of(PageSize::k1GiB);
  for (std::uint64_t done = 0; done < region.host.size();) {
    const auto chunk = region.host.subspan(done, std::min(kChunk, region.host.size() - done));
    if (madvise(chunk.data(), chunk.size(), kMadvisePopulateWrite) != 0) {
      if (errno == EINTR || errno == EAGAIN) {
        continue;
      }
      return failure(host_error(fmt::format("populating guest RAM: {} of {} MiB are resident",
                                            done >> 20, region.host.size() >> 20),
                                errno));
    }
    done += chunk.size();
  }
  return {};
}

Result<void> GuestRam::learn_chunk(GuestPhysRange chunk, std::span<std::byte> host) {
  page_is_resident_.resize(host.size() / kPageSize);
  if (mincore(host.data(), host.size(), page_is_resident_.data()) != 0) {
    return failure(host_error("mincore of guest RAM", errno));
  }
  const auto is_resident = [](unsigned char flags) { return (flags & 1U) != 0; };
  auto page = page_is_resident_.begin();
  while (true) {
    page = std::find_if(page, page_is_resident_.end(), is_resident);
    if (page == page_is_resident_.end()) {
      return {};
    }
    const auto behind = std::find_if_not(page, page_is_resident_.end(), is_resident);
    const auto index = static_cast<std::uint64_t>(page - page_is_resident_.begin());
    const auto count = static_cast<std::uint64_t>(behind - page);
    const auto run = GuestPhysRange::of(chunk.start() + index * kPageSize, count * kPageSize);
    if (const auto done = space_->populate(run); !done) {
      return failure(refused(done.error()));
    }
    page = behind;
  }
}

Result<void> GuestRam::learn_residency() {
  constexpr std::uint64_t kChunk = bytes_of(PageSize::k1GiB);
  for (const Region& region : regions_) {
    for (std::uint64_t done = 0; done < region.guest.size(); done += kChunk) {
      const std::uint64_t size = std::min(kChunk, region.guest.size() - done);
      const auto chunk = GuestPhysRange::of(region.guest.start() + done, size);
      if (auto learned = learn_chunk(chunk, region.host.subspan(done, size)); !learned) {
        return learned;
      }
    }
  }
  return {};
}

}  // namespace nestling
