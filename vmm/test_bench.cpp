// Answers from the address space, brought up to date where the host alone knows.
#include "vmm/test_bench.h"

#include <algorithm>

#include "vmm/architecture.h"

namespace nestling {

GuestTranslation TestBench::translate(GuestVirtAddr address, GuestAccess access) {
  const auto calling = std::find_if(runners_.begin(), runners_.end(), [](const auto& runner) {
    return runner->runs_on_this_thread();
  });
  if (calling == runners_.end()) {
    return {};
  }
  return translate_live((*calling)->vcpu(), ram_.space(), address, access);
}

Result<void, SpaceError> TestBench::populate(GuestPhysRange range) {
  return ram_.space().populate(range);
}

Result<void, SpaceError> TestBench::discard(GuestPhysRange range) {
  learn();
  return ram_.space().discard(range);
}

MemoryUsage TestBench::usage() {
  learn();
  const SpaceStatistics statistics = ram_.space().statistics();
  return {.resident = statistics.resident.total(), .mapped = statistics.mapped};
}

Result<PageInfo, Missing> TestBench::query(GuestPhysAddr address) {
  learn();
  return ram_.space().query(address);
}

std::string_view TestBench::area_at(GuestPhysAddr address) {
  std::string_view name;
  if (ram_.space().range().contains(address)) {
    ram_.space().visit_areas(GuestPhysRange::of(address, 1),
                             [&name](const Area& area) { name = *area.name; });
  }
  return name;
}

std::uint64_t TestBench::fault_path() {
  static_assert(static_cast<std::uint64_t>(LazyPath::kUffd) == 1);
  static_assert(static_cast<std::uint64_t>(LazyPath::kOff) == 5);
  return static_cast<std::uint64_t>(path_);
}

void TestBench::learn() {
  if (path_ != LazyPath::kHost && path_ != LazyPath::kOff) {
    return;  // the view knows by itself
  }
  const std::lock_guard lock(learning_);
  // Without it the view is older than it might be, which no answer promises against.
  (void)ram_.learn_residency().has_value();
}

}  // namespace nestling
