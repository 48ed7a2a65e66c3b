// Choosing the fault path, and putting together what it takes.
#include "vmm/memory/live_memory.h"

#include <utility>

namespace nestling {

Result<LiveMemory::Choice> LiveMemory::choose(const GuestMemoryConfig& config) {
  switch (config.path) {
    case LazyPath::kAuto:
      return Choice{LazyPath::kHost, "nothing asks to see faults"};
    case LazyPath::kHost:
    case LazyPath::kOff:
      return Choice{config.path, "as asked"};
    case LazyPath::kUffd:
    case LazyPath::kMmio:
    case LazyPath::kFault:
      break;
  }
  return failure(make_error(ErrorKind::kUsage, "--lazy {} is not there yet; use host or off",
                            name_of(config.path)));
}

LiveMemory::LiveMemory(const LiveMemoryWiring& wiring, Choice choice)
    : ram_(wiring.ram),
      path_(choice.path),
      reason_(std::move(choice.reason)),
      slots_(wiring.vm),
      mirror_(wiring.ram.space(), slots_, gate_, {}),
      exits_(wiring.ram.space(),
             {.vcpu_count = wiring.vcpu_count, .denied = wiring.denied, .sink = wiring.events}) {}

Result<std::unique_ptr<LiveMemory>> LiveMemory::create(const GuestMemoryConfig& config,
                                                       const LiveMemoryWiring& wiring) {
  auto choice = choose(config);
  if (!choice) {
    return failure(choice.error());
  }
  std::unique_ptr<LiveMemory> memory(new LiveMemory(wiring, *std::move(choice)));
  wiring.log.detail("memory path: {} ({})", name_of(memory->path_), memory->reason_);
  if (auto done = wiring.ram.map_ram(); !done) {
    return failure(done.error());
  }
  return memory;
}

Result<void> LiveMemory::make_ready() {
  if (path_ != LazyPath::kOff) {
    return {};
  }
  for (const GuestRam::Region& region : ram_.regions()) {
    if (auto done = ram_.populate_in_host(region); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace nestling
