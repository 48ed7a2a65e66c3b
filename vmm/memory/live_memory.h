// LiveMemory: a machine's memory while it runs: what keeps KVM in step with the view, and the path
// by which pages come into being.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "vmm/memory/guest_memory_config.h"
#include "vmm/memory/guest_ram.h"
#include "vmm/memory/memory_event.h"
#include "vmm/memory/memory_exits.h"
#include "vmm/memory/run_gate.h"
#include "vmm/memory/slot_mirror.h"
#include "vmm/memory/vm_slot_table.h"
#include "vmm/unclaimed_policy.h"
#include "vmm/vm.h"

namespace nestling {

/// What it stands between; all of it must outlive it.
struct LiveMemoryWiring {
  GuestRam& ram;
  const Vm& vm;
  std::uint32_t vcpu_count = 1;
  /// What becomes of accesses that an area's rights deny.
  UnclaimedPolicy denied = UnclaimedPolicy::kGoOn;
  /// Null for nobody.
  MemoryEventSink* events = nullptr;
  const Log& log;
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
  ~LiveMemory() = default;

  /// The last step before the first instruction: with LazyPath::kOff, all of it is populated here.
  /// Fails with kHostRefused.
  [[nodiscard]] Result<void> make_ready();

  [[nodiscard]] RunGate& gate() { return gate_; }
  [[nodiscard]] MemoryExits& exits() { return exits_; }
  [[nodiscard]] const SlotMirror& mirror() const { return mirror_; }
  /// The path that was chosen, never kAuto; and why.
  [[nodiscard]] LazyPath path() const { return path_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }

 private:
  struct Choice {
    LazyPath path = LazyPath::kHost;
    std::string reason;
  };

  LiveMemory(const LiveMemoryWiring& wiring, Choice choice);
  [[nodiscard]] static Result<Choice> choose(const GuestMemoryConfig& config);

  GuestRam& ram_;
  const LazyPath path_;
  const std::string reason_;
  RunGate gate_;
  VmSlotTable slots_;
  SlotMirror mirror_;
  MemoryExits exits_;
};

}  // namespace nestling
