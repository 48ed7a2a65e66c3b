// Putting together what each fault path takes.
#include "vmm/memory/live_memory.h"

#include <utility>

#include "vmm/architecture.h"
#include "vmm/memory/hidden_frames.h"
#include "vmm/memory/host_paging.h"
#include "vmm/memory/kvm_memory_probes.h"

namespace nestling {

namespace {

std::vector<SlotMirror::Trap> traps_for(const WatchList* watches) {
  std::vector<SlotMirror::Trap> traps;
  if (watches != nullptr) {
    for (const WatchRange& watched : watches->ranges()) {
      traps.push_back({watched.pages(), watched.access});
    }
  }
  return traps;
}

}  // namespace

LiveMemory::LiveMemory(const GuestMemoryConfig& config, const LiveMemoryWiring& wiring,
                       MemoryPlan plan)
    : wiring_(wiring),
      plan_(std::move(plan)),
      limit_(config.limit),
      slots_(wiring.vm),
      exits_(wiring.ram.space(), {.vcpu_count = wiring.vcpu_count,
                                  .denied = wiring.denied,
                                  .sink = wiring.events,
                                  .watches = wiring.watches}) {}

LiveMemory::~LiveMemory() {
  AddressSpace& space = wiring_.ram.space();
  if (frames_ != nullptr) {
    space.remove_observer(*frames_);
  }
  space.remove_observer(pins_);
  if (watch_ != nullptr) {
    space.remove_observer(*watch_);
  }
}

Result<std::unique_ptr<LiveMemory>> LiveMemory::create(const GuestMemoryConfig& config,
                                                       const LiveMemoryWiring& wiring) {
  KvmMemoryProbes probes(wiring.kvm);
  auto plan = plan_memory(config, probes);
  if (!plan) {
    return failure(plan.error());
  }
  wiring.log.detail("fault path: {} ({})", name_of(plan->path), plan->reason);
  std::unique_ptr<LiveMemory> memory(new LiveMemory(config, wiring, *std::move(plan)));
  if (auto done = memory->start(config); !done) {
    return failure(done.error());
  }
  return memory;
}

Result<void> LiveMemory::start(const GuestMemoryConfig& config) {
  AddressSpace& space = wiring_.ram.space();
  space.set_fault_granule(plan_.granule);
  // Whoever refuses for want of memory is asked first, whoever shows memory to the guest is last.
  watch_ = std::make_unique<MemoryWatch>(HostMemory(), resident_bytes_of_process);
  if (plan_.path != LazyPath::kHost) {
    space.add_observer(*watch_);
  }
  space.add_observer(pins_);
  if (plan_.path == LazyPath::kUffd) {
    auto pager = UffdPager::start(space, std::move(plan_.page_faults),
                                  {.sink = wiring_.events, .stop_run = wiring_.stop_run});
    if (!pager) {
      return failure(pager.error());
    }
    pager_ = *std::move(pager);
  } else if (plan_.path == LazyPath::kFault) {
    frames_ = std::make_unique<HiddenFrames>(wiring_.ram.pool());
    space.add_observer(*frames_);
  } else if (plan_.path == LazyPath::kHost) {
    frames_ = std::make_unique<HostPaging>(wiring_.ram.pool());
    space.add_observer(*frames_);
  }
  if (plan_.path == LazyPath::kMmio) {
    tell_of_unreadable_instructions(wiring_.vm);
  }
  using Shows = SlotMirror::Shows;
  using Gate = SlotMirror::Gate;
  mirror_ = std::make_unique<SlotMirror>(
      space, slots_, gate_,
      SlotMirror::Options{
          .shows = plan_.path == LazyPath::kMmio ? Shows::kPopulated : Shows::kAreas,
          .gate = plan_.path == LazyPath::kUffd ? Gate::kForNewSlots : Gate::kForCuts,
          .traps = traps_for(wiring_.watches)});
  // A granule that was asked for to spend less memory would not, with whole huge pages behind it.
  const bool populates_pieces = plan_.path == LazyPath::kUffd || plan_.path == LazyPath::kMmio;
  const bool pages_in_host = plan_.path != LazyPath::kFault &&
                             (!populates_pieces || plan_.granule >= bytes_of(PageSize::k2MiB));
  return wiring_.ram.map_ram(pages_in_host && !config.huge ? GuestRam::HugePages::kWhereTheyFit
                                                           : GuestRam::HugePages::kNever);
}

Result<void> LiveMemory::make_ready() {
  if (plan_.path != LazyPath::kOff) {
    return {};
  }
  for (const GuestRam::Region& region : wiring_.ram.regions()) {
    if (auto done = wiring_.ram.populate_in_host(region); !done) {
      return done;
    }
  }
  return {};
}

void LiveMemory::name_this_thread(VcpuId vcpu) {
  if (pager_ != nullptr) {
    pager_->name_this_thread(actor_of(vcpu));
  }
}

void LiveMemory::look_at_host() {
  if (plan_.path != LazyPath::kHost || looks_++ < looks_to_skip_) {
    return;
  }
  if (const auto shortage = watch_->shortage()) {
    wiring_.stop_run({.kind = VerdictKind::kHostRefused, .reason = *shortage});
    return;
  }
  // Where all of the guest's RAM would fit, others must take memory first: that takes longer.
  constexpr std::uint64_t kLooksWhenThereIsPlenty = 40;
  looks_ = 0;
  looks_to_skip_ = watch_->has_room_for(wiring_.ram.size()) ? kLooksWhenThereIsPlenty : 0;
}

MemoryStatistics LiveMemory::statistics() const {
  MemoryStatistics statistics{.path = plan_.path,
                              .reason = plan_.reason,
                              .granule = wiring_.ram.space().fault_granule(),
                              .limit = limit_,
                              .exits = exits_.statistics(),
                              .slots = mirror_->statistics(),
                              .pager = std::nullopt};
  if (pager_ != nullptr) {
    statistics.pager = pager_->statistics();
  }
  return statistics;
}

std::string LiveMemory::shutdown_hint() const {
  if (plan_.path != LazyPath::kMmio) {
    return {};
  }
  return "; with --lazy mmio this is also how a guest ends whose page tables stand in memory that "
         "nobody had touched: --lazy uffd, host or off serve them";
}

}  // namespace nestling
