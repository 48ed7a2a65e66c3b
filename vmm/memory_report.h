// MemoryReport: what a run's memory came to, in numbers, for the verdict line and the JSON report.
#pragma once

#include <cstdint>
#include <string>

#include "addrspace/space_types.h"
#include "vmm/memory/live_memory.h"

namespace nestling {

struct MemoryReport {
  SpaceStatistics space;
  MemoryStatistics live;
  std::uint64_t host_page_size = 0;  ///< bytes: of the host's ordinary pages
};

/// The numbers of `machine_memory` and of the view it keeps. Where the host pages guest memory in,
/// the view is brought up to date first. Fails with kHostRefused.
[[nodiscard]] Result<MemoryReport> report_on(LiveMemory& memory, GuestRam& ram);

/// "88 KiB of 128 MiB resident (22x4K) in 2 areas, 20 KiB of tables, 2 slots, lazy host: 3 faults".
[[nodiscard]] std::string in_words(const MemoryReport& report);

}  // namespace nestling
