// Gathering what the parts of a machine's memory count.
#include "vmm/memory_report.h"

#include <unistd.h>

#include <numeric>

#include <fmt/core.h>

#include "addrspace/space_map.h"

namespace nestling {

namespace {

std::string page_words(const BytesByPageSize& resident) {
  std::string words;
  for (const PageSize size : {PageSize::k1GiB, PageSize::k2MiB, PageSize::k4KiB}) {
    if (resident[size] != 0) {
      words += fmt::format("{}{}x{}", words.empty() ? "" : " ", resident[size] / bytes_of(size),
                           name_of(size));
    }
  }
  return words.empty() ? "no pages" : words;
}

}  // namespace

Result<MemoryReport> report_on(LiveMemory& memory, GuestRam& ram) {
  if (auto done = ram.learn_residency(); !done) {
    return failure(done.error());
  }
  const long host_page = sysconf(_SC_PAGESIZE);
  return MemoryReport{.space = ram.space().statistics(),
                      .live = memory.statistics(),
                      .host_page_size = host_page > 0 ? static_cast<std::uint64_t>(host_page) : 0};
}

std::string in_words(const MemoryReport& report) {
  const SpaceStatistics& space = report.space;
  const auto faults = std::accumulate(space.faults.begin(), space.faults.end(), std::uint64_t{0});
  return fmt::format(
      "{} of {} resident ({}) in {} areas, {} of tables, {} slots, lazy {}: {} faults",
      readable_size(space.resident.total()), readable_size(space.mapped),
      page_words(space.resident), space.areas, readable_size(space.table_bytes),
      report.live.slots.slots, name_of(report.live.path), faults);
}

}  // namespace nestling
