// Machine: RAM, vCPUs and devices put together around one booted image, and run to a verdict.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "boot/image.h"
#include "devices/byte_sink.h"
#include "devices/room_listener.h"
#include "vmm/access_origin.h"
#include "vmm/audit/audit_sink.h"
#include "vmm/audit/audit_trail.h"
#include "vmm/audit/watch_list.h"
#include "vmm/exit_handler.h"
#include "vmm/exit_trace.h"
#include "vmm/fault_trace.h"
#include "vmm/kvm_system.h"
#include "vmm/memory/area_plan.h"
#include "vmm/memory/guest_memory_config.h"
#include "vmm/memory/guest_ram.h"
#include "vmm/memory/live_memory.h"
#include "vmm/memory/memory_event_tee.h"
#include "vmm/platform.h"
#include "vmm/test_bench.h"
#include "vmm/vcpu_runner.h"
#include "vmm/verdict_box.h"
#include "vmm/vm.h"

namespace nestling {

/// What fits the 8 bits of a local APIC's id, one of which means all.
inline constexpr std::uint32_t kMaxVcpus = 255;

struct MachineConfig {
  GuestMemoryConfig memory = {};
  std::uint32_t vcpu_count = 1;  ///< 1 to kMaxVcpus; the first one boots, the others wait for it
  Irqchip irqchip = Irqchip::kAbsent;
  UnclaimedPolicy unclaimed = UnclaimedPolicy::kGoOn;
  ExitCodeStyle exit_code_style = ExitCodeStyle::kPlain;
  std::string command_line = {};
  bool test_device = false;  ///< guest::kMmioTest answers
};

/// What a machine is connected to; all of it must outlive the machine.
struct MachineSurroundings {
  ByteSink& console;
  RoomListener& console_room;
  /// Null for no trace.
  ExitTrace* trace = nullptr;
  /// Where it is written who touched what; null for nowhere.
  AuditTrail* audit = nullptr;
  /// What the audit watches; null for nothing.
  const WatchList* watches = nullptr;
  const Log& log;
};

/// One machine, for one run. stop(), look_for_hang() and platform() may be used from any thread at
/// any time, the rest by one thread, before or after run().
class Machine {
 public:
  /// Ready to run `image`, which is needed only during the call. Fails with kBadImage, kUsage,
  /// kNoKvm or kHostRefused.
  [[nodiscard]] static Result<std::unique_ptr<Machine>> create(
      const KvmSystem& kvm, const Image& image, const MachineConfig& config,
      const MachineSurroundings& surroundings);

  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  ~Machine() = default;

  /// Runs every vCPU, the first on the calling thread, until the run is decided. Once only.
  /// `start` is the zero of the trace's clock.
  [[nodiscard]] Verdict run(std::chrono::steady_clock::time_point start);

  /// Ends the run with `verdict`, unless it is decided already.
  void stop(Verdict verdict);

  /// To be called every few hundred milliseconds while the machine runs: ends the run as a hang
  /// within three calls once no vCPU can ever run again.
  void look_for_hang();

  [[nodiscard]] Platform& platform() { return *platform_; }
  [[nodiscard]] GuestRam& ram() { return *ram_; }
  [[nodiscard]] LiveMemory& memory() { return *memory_; }
  [[nodiscard]] ExitCounts exit_counts() const;
  [[nodiscard]] std::uint64_t unclaimed_count() const { return handler_->unclaimed_count(); }
  /// The vCPU whose exit decided the run, else the first.
  [[nodiscard]] VcpuRunner& deciding_runner();

 private:
  Machine(std::unique_ptr<GuestRam> ram, Vm vm, Irqchip irqchip, ExitCodeStyle style)
      : ram_(std::move(ram)), vm_(std::move(vm)), irqchip_(irqchip), verdicts_(style) {}

  [[nodiscard]] Result<void> assemble(const KvmSystem& kvm, const Image& image,
                                      const MachineConfig& config,
                                      const MachineSurroundings& surroundings);
  void add_listeners(const MachineSurroundings& surroundings);
  [[nodiscard]] bool is_thread_of(std::uint32_t vcpu);
  [[nodiscard]] AccessOrigin origin_of(std::uint32_t vcpu, const AccessSeen& seen);
  void kick_all();
  void run_vcpu(VcpuRunner& runner, std::chrono::steady_clock::time_point start);
  [[nodiscard]] bool is_every_vcpu_stuck() const;
  [[nodiscard]] bool may_hidden_timer_wake() const;

  AreaPlan areas_;
  std::unique_ptr<GuestRam> ram_;
  Vm vm_;
  Irqchip irqchip_;
  VerdictBox verdicts_;
  std::unique_ptr<AuditSink> audit_;
  std::unique_ptr<FaultTrace> fault_trace_;
  MemoryEventTee memory_events_;
  std::unique_ptr<LiveMemory> memory_;
  std::unique_ptr<TestBench> test_bench_;  // null without a test device
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<ExitHandler> handler_;
  std::vector<std::unique_ptr<VcpuRunner>> runners_;  // by vCPU id

  // look_for_hang()'s own.
  std::uint64_t hang_round_ = 0;
  std::uint64_t quiet_rounds_ = 0;
};

}  // namespace nestling
