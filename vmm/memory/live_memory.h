// LiveMemory: a machine's memory while it runs: what keeps KVM in step with the view, and the path
// by which pages come into being.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "vmm/kvm_system.h"
#include "vmm/memory/frame_pins.h"
#include "vmm/memory/guest_memory_config.h"
#include "vmm/memory/guest_ram.h"
#include "vmm/memory/memory_event.h"
#include "vmm/memory/memory_exits.h"
#include "vmm/memory/memory_plan.h"
#include "vmm/memory/memory_watch.h"
#include "vmm/memory/run_gate.h"
#include "vmm/memory/slot_mirror.h"
#include "vmm/memory/uffd_pager.h"
#include "vmm/memory/vm_slot_table.h"
#include "vmm/unclaimed_policy.h"
#include "vmm/vcpu_id.h"
#include "vmm/verdict.h"
#include "vmm/vm.h"

namespace nestling {

/// What it stands between; all of it must outlive it.
struct LiveMemoryWiring {
  GuestRam& ram;
  const KvmSystem& kvm;
  const Vm& vm;
  std::uint32_t vcpu_count = 1;
  /// What becomes of accesses that an area's rights deny.
  UnclaimedPolicy denied = UnclaimedPolicy::kGoOn;
  /// Null for nobody.
  MemoryEventSink* events = nullptr;
  /// Whose accesses are to be exits, and told; null for none.
  const WatchList* watches = nullptr;
  /// Ends the run, from any thread, when there is no memory to give.
  std::function<void(Verdict)> stop_run;
  const Log& log;
};

/// Counts for reports, by path.
struct MemoryStatistics {
  LazyPath path = LazyPath::kHost;
  std::string reason;         ///< why this path
  std::uint64_t granule = 0;  ///< bytes that one fault populates
  /// Bytes that may be resident at a time; nothing for no limit.
  std::optional<std::uint64_t> limit;
  MemoryExits::Statistics exits;
  SlotMirror::Statistics slots;
  /// kUffd's.
  std::optional<UffdPager::Statistics> pager;
};

class LiveMemory {
 public:
  /// Chooses the path, and maps RAM with everybody watching who needs to. Before the interrupt
  /// controllers and the first vCPU are made. Fails with kUsage when this host or this run cannot
  /// take the path asked for, with kHostRefused when the host refuses memory or a slot.
  [[nodiscard]] static Result<std::unique_ptr<LiveMemory>> create(const GuestMemoryConfig& config,
                                                                  const LiveMemoryWiring& wiring);

  LiveMemory(const LiveMemory&) = delete;
  LiveMemory& operator=(const LiveMemory&) = delete;
  ~LiveMemory();

  /// The last step before the first instruction: with LazyPath::kOff, all of it is populated here.
  /// Fails with kHostRefused.
  [[nodiscard]] Result<void> make_ready();

  /// The calling thread is this vCPU's: faults it takes are told as its.
  void name_this_thread(VcpuId vcpu);

  /// To be called every few tens of milliseconds while the machine runs, by one thread: ends the
  /// run when the host is about to run out of memory.
  void look_at_host();

  [[nodiscard]] RunGate& gate() { return gate_; }
  [[nodiscard]] MemoryExits& exits() { return exits_; }
  [[nodiscard]] const SlotMirror& mirror() const { return *mirror_; }
  /// The path that was chosen, never kAuto.
  [[nodiscard]] LazyPath path() const { return plan_.path; }
  [[nodiscard]] MemoryStatistics statistics() const;
  /// What to say of a guest that shut down: what this path cannot serve, and what can; may be
  /// empty.
  [[nodiscard]] std::string shutdown_hint() const;

 private:
  LiveMemory(const GuestMemoryConfig& config, const LiveMemoryWiring& wiring, MemoryPlan plan);
  [[nodiscard]] Result<void> start(const GuestMemoryConfig& config);

  const LiveMemoryWiring wiring_;
  MemoryPlan plan_;
  const std::optional<std::uint64_t> limit_;
  RunGate gate_;
  VmSlotTable slots_;
  MemoryExits exits_;
  // Observers of the space, in the order in which they are told; each removes itself, or is removed
  // by the destructor.
  std::unique_ptr<MemoryWatch> watch_;
  FramePins pins_;
  std::unique_ptr<ViewObserver> frames_;
  std::unique_ptr<UffdPager> pager_;
  std::unique_ptr<SlotMirror> mirror_;

  // look_at_host()'s own.
  std::uint64_t looks_ = 0;
  std::uint64_t looks_to_skip_ = 0;
};

}  // namespace nestling
