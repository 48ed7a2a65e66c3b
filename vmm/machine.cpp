// Putting a machine together in the order that KVM wants, and taking it to its verdict.
#include "vmm/machine.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "boot/boot_request.h"
#include "vmm/architecture.h"
#include "vmm/kvm_api.h"
#include "vmm/native.h"

namespace nestling {

namespace {

Error with_memory_hint(Error error) {
  if (error.kind != ErrorKind::kHostRefused) {
    return error;
  }
  error.message += "; a smaller --memory may fit this host";
  return error;
}

/// Fails with kUsage.
Result<void> check_vcpu_count(const KvmSystem& kvm, const MachineConfig& config) {
  // A host that names no limit has room for four (KVM API, "KVM_CREATE_VCPU").
  constexpr int kLimitOfOldHosts = 4;
  const int named = kvm.extension(KVM_CAP_MAX_VCPUS);
  const auto limit = static_cast<std::uint32_t>(named > 0 ? named : kLimitOfOldHosts);
  if (config.vcpu_count == 0 || config.vcpu_count > std::min(limit, kMaxVcpus)) {
    return failure(make_error(ErrorKind::kUsage,
                              "{} CPUs: a machine has 1 to {} (Nestling allows {}, this host's KVM "
                              "{})",
                              config.vcpu_count, std::min(limit, kMaxVcpus), kMaxVcpus, limit));
  }
  return {};
}

/// Where the devices among `devices` stand that are not behind ports.
std::vector<GuestPhysRange> memory_mapped(std::span<const DeviceEntry> devices) {
  std::vector<GuestPhysRange> ranges;
  for (const DeviceEntry& device : devices) {
    if (device.space == DeviceSpace::kMmio) {
      ranges.push_back(GuestPhysRange::of(GuestPhysAddr(device.address), device.size));
    }
  }
  return ranges;
}

/// The addresses that an area may have.
GuestPhysRange guest_phys_space(const KvmSystem& kvm) {
  constexpr unsigned kBitsOfView = 48;  // with four levels of tables
  return GuestPhysRange::of(GuestPhysAddr(0),
                            1ULL << std::min(guest_address_bits(kvm), kBitsOfView));
}

}  // namespace

Result<std::unique_ptr<Machine>> Machine::create(const KvmSystem& kvm, const Image& image,
                                                 const MachineConfig& config,
                                                 const MachineSurroundings& surroundings) {
  if (auto done = check_vcpu_count(kvm, config); !done) {
    return failure(done.error());
  }
  const auto ranges = ram_layout(kvm, config.memory.size);
  if (!ranges) {
    return failure(ranges.error());
  }
  auto areas = plan_areas(*ranges, config.memory.extra, guest_phys_space(kvm));
  if (!areas) {
    return failure(areas.error());
  }
  auto ram = GuestRam::create(config.memory, areas->ram, areas->rom_ranges());
  if (!ram) {
    return failure(with_memory_hint(ram.error()));
  }
  auto vm = kvm.create_vm();
  if (!vm) {
    return failure(vm.error());
  }
  std::unique_ptr<Machine> machine(new Machine(
      std::move(*ram), std::move(*vm), offered_irqchip(config.irqchip), config.exit_code_style));
  machine->areas_ = *std::move(areas);
  if (auto done = machine->assemble(kvm, image, config, surroundings); !done) {
    return failure(done.error());
  }
  return machine;
}

Result<void> Machine::assemble(const KvmSystem& kvm, const Image& image,
                               const MachineConfig& config,
                               const MachineSurroundings& surroundings) {
  add_listeners(surroundings);
  auto memory = LiveMemory::create(
      config.memory, {.ram = *ram_,
                      .kvm = kvm,
                      .vm = vm_,
                      .vcpu_count = config.vcpu_count,
                      .denied = config.unclaimed,
                      .events = memory_events_.or_null(),
                      .watches = surroundings.watches,
                      .stop_run = [this](Verdict verdict) { stop(std::move(verdict)); },
                      .log = surroundings.log});
  if (!memory) {
    return failure(with_memory_hint(memory.error()));
  }
  memory_ = *std::move(memory);
  if (auto done = map_extra_areas(areas_, ram_->space()); !done) {
    return failure(with_memory_hint(done.error()));
  }
  if (config.test_device) {
    test_bench_ = std::make_unique<TestBench>(*ram_, memory_->path(), runners_);
  }
  auto platform = make_platform({.vm = vm_,
                                 .irqchip = irqchip_,
                                 .ram_size = config.memory.size,
                                 .vcpu_count = config.vcpu_count,
                                 .console = surroundings.console,
                                 .power = verdicts_,
                                 .console_room = surroundings.console_room,
                                 .test_device = test_bench_ ? &test_bench_->device() : nullptr,
                                 .log = surroundings.log});
  if (!platform) {
    return failure(platform.error());
  }
  platform_ = std::move(*platform);
  handler_ = std::make_unique<ExitHandler>(platform_->ports(), platform_->mmio(), memory_->exits(),
                                           config.unclaimed);

  if (audit_ != nullptr) {
    if (auto done = audit_->listen(); !done) {
      return done;
    }
  }
  std::vector<Vcpu> vcpus;
  for (std::uint32_t id = 0; id < config.vcpu_count; ++id) {
    auto vcpu = vm_.create_vcpu(id);
    if (!vcpu) {
      return failure(vcpu.error());
    }
    vcpus.push_back(std::move(*vcpu));
  }
  std::vector<GuestPhysRange> ram_ranges;
  for (const GuestRam::Region& region : ram_->regions()) {
    ram_ranges.push_back(region.guest);
  }
  const std::vector<DeviceEntry> devices = platform_->device_list();
  if (auto done = check_areas_against(areas_, memory_mapped(devices)); !done) {
    return done;
  }
  const std::vector<MemoryClaim> other_memory = areas_.claims();
  const BootRequest request{.image = image,
                            .ram = ram_ranges,
                            .command_line = config.command_line,
                            .devices = devices,
                            .other_memory = other_memory};
  if (auto done = boot_vcpus(kvm, vm_, vcpus, irqchip_, request, ram_->memory(), surroundings.log);
      !done) {
    return done;
  }
  if (auto done = platform_->complete(); !done) {
    return done;
  }
  for (Vcpu& vcpu : vcpus) {
    const VcpuRunner::Surroundings around{.handler = *handler_,
                                          .verdicts = verdicts_,
                                          .gate = memory_->gate(),
                                          .memory = ram_->memory(),
                                          .trace = surroundings.trace};
    runners_.push_back(std::make_unique<VcpuRunner>(std::move(vcpu), around));
  }
  return memory_->make_ready();
}

void Machine::add_listeners(const MachineSurroundings& surroundings) {
  if (surroundings.audit != nullptr) {
    audit_ = std::make_unique<AuditSink>(*surroundings.audit, surroundings.watches, ram_->space());
    audit_->set_origin_of(
        [this](std::uint32_t vcpu, const AccessSeen& seen) { return origin_of(vcpu, seen); });
    memory_events_.add(*audit_);
  }
  if (surroundings.trace != nullptr) {
    fault_trace_ = std::make_unique<FaultTrace>(
        *surroundings.trace, [this](std::uint32_t vcpu) { return is_thread_of(vcpu); });
    memory_events_.add(*fault_trace_);
  }
}

bool Machine::is_thread_of(std::uint32_t vcpu) {
  return vcpu < runners_.size() && runners_[vcpu]->runs_on_this_thread();
}

AccessOrigin Machine::origin_of(std::uint32_t vcpu, const AccessSeen& seen) {
  // Others would wait for the vCPU to leave the guest, and it perhaps for them.
  if (!is_thread_of(vcpu)) {
    return {};
  }
  return origin_of_access(runners_[vcpu]->vcpu(), ram_->space(), seen);
}

void Machine::kick_all() {
  for (const auto& runner : runners_) {
    runner->kick();
  }
}

void Machine::run_vcpu(VcpuRunner& runner, std::chrono::steady_clock::time_point start) {
  memory_->name_this_thread(VcpuId(runner.vcpu().id()));
  runner.run(start);
  if (runners_.size() > 1) {
    kick_all();
  }
}

Verdict Machine::run(std::chrono::steady_clock::time_point start) {
  if (fault_trace_ != nullptr) {
    fault_trace_->begin(start);
  }
  install_kick_signal();
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < runners_.size(); ++i) {
    auto thread = start_thread("a vCPU", [this, i, start] { run_vcpu(*runners_[i], start); });
    if (!thread) {
      stop({.kind = VerdictKind::kHostRefused, .reason = thread.error().message});
      break;
    }
    threads.push_back(*std::move(thread));
  }
  run_vcpu(*runners_.front(), start);
  for (std::thread& thread : threads) {
    thread.join();
  }
  if (audit_ != nullptr) {
    audit_->stop_listening();  // whoever looks at the guest now is no part of the run
  }
  return verdicts_.verdict();
}

void Machine::stop(Verdict verdict) {
  verdicts_.propose(std::move(verdict));
  kick_all();
}

bool Machine::is_every_vcpu_stuck() const {
  const bool is_alone = runners_.size() == 1;
  return std::all_of(runners_.begin(), runners_.end(), [&](const auto& runner) {
    const auto since = runner->stuck_since();
    // Several may wake each other in turns, always asleep when looked at.
    return since && *since < hang_round_ && (is_alone || runner->counts_halts());
  });
}

/// The last question, because it takes every vCPU out of the guest.
bool Machine::may_hidden_timer_wake() const {
  memory_->gate().close();
  const bool may_wake = std::any_of(runners_.begin(), runners_.end(), [&](const auto& runner) {
    return platform_->may_have_hidden_timer(runner->vcpu());
  });
  memory_->gate().open();
  return may_wake;
}

void Machine::look_for_hang() {
  if (irqchip_ == Irqchip::kAbsent || verdicts_.is_decided()) {
    return;  // without interrupt controllers HLT itself is the exit that says it
  }
  // Devices first: an interrupt they raised before they fell quiet has by the next round woken a
  // vCPU, which then answers that it is not stuck.
  quiet_rounds_ = platform_->may_interrupt() ? 0 : quiet_rounds_ + 1;
  constexpr std::uint64_t kRoundsToBeSure = 3;
  if (quiet_rounds_ >= kRoundsToBeSure && is_every_vcpu_stuck() && !may_hidden_timer_wake()) {
    stop({.kind = VerdictKind::kHang,
          .reason = "hang: every vCPU is halted or off, and nothing can wake one"});
    return;
  }
  ++hang_round_;
  for (const auto& runner : runners_) {
    runner->ask_if_stuck(hang_round_);
    runner->kick();
  }
}

ExitCounts Machine::exit_counts() const {
  ExitCounts sum{};
  for (const auto& runner : runners_) {
    for (std::size_t kind = 0; kind < sum.size(); ++kind) {
      sum.at(kind) += runner->exit_counts().at(kind);
    }
  }
  return sum;
}

VcpuRunner& Machine::deciding_runner() {
  const auto found = std::find_if(runners_.begin(), runners_.end(),
                                  [](const auto& each) { return each->decided_the_run(); });
  return found == runners_.end() ? *runners_.front() : **found;
}

}  // namespace nestling
