// Making the smallest machine twice, and counting its exits against the clock.
#include "vmm/trial_run.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "boot/flat_image.h"
#include "vmm/architecture.h"
#include "vmm/memory/guest_ram.h"
#include "vmm/memory/vm_slot_table.h"
#include "vmm/trial_code.h"

namespace nestling {

namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kRamSize = 2ULL << 20;
constexpr std::size_t kWarmUpExits = 20;
constexpr std::size_t kTimedExits = 1000;
/// Signals may interrupt a trial, but not for ever.
constexpr std::size_t kMostRuns = 10 * kTimedExits;

/// RAM, a VM and its vCPU, destroyed in the order KVM wants.
struct TrialMachine {
  std::unique_ptr<GuestRam> ram;
  Vm vm;
  Vcpu vcpu;
};

Result<TrialMachine> make_machine(const KvmSystem& kvm, std::span<const std::byte> code) {
  const auto ranges = ram_layout(kvm, kRamSize);
  if (!ranges) {
    return failure(ranges.error());
  }
  auto ram = GuestRam::create({.size = kRamSize}, *ranges);
  if (!ram) {
    return failure(ram.error());
  }
  if (auto done = (*ram)->map_ram(); !done) {
    return failure(done.error());
  }
  auto vm = kvm.create_vm();
  if (!vm) {
    return failure(vm.error());
  }
  VmSlotTable slots(*vm);
  std::uint32_t number = 0;
  for (const GuestRam::Region& region : (*ram)->regions()) {
    const MemorySlot slot{.number = number++, .guest = region.guest, .host = region.host};
    if (auto done = slots.add_slot(slot); !done) {
      return failure(done.error());
    }
  }
  auto vcpu = vm->create_vcpu(0);
  if (!vcpu) {
    return failure(vcpu.error());
  }
  const auto image = make_flat_image(code, trial_code().address, trial_code().architecture);
  if (!image) {
    return failure(image.error());
  }
  const BootRequest request{.image = *image, .ram = *ranges, .command_line = {}, .devices = {}};
  const Log log(Verbosity::kNormal);
  if (auto done = boot_vcpus(kvm, *vm, std::span(&*vcpu, 1), Irqchip::kAbsent, request,
                             (*ram)->memory(), log);
      !done) {
    return failure(done.error());
  }
  return TrialMachine{*std::move(ram), std::move(*vm), std::move(*vcpu)};
}

/// Times exits, all of which must be of one of the kinds `Expected`.
template <typename... Expected>
Result<ExitCost> time_exits(Vcpu& vcpu) {
  std::vector<nanoseconds> times;
  for (std::size_t run = 0; run < kMostRuns && times.size() < kWarmUpExits + kTimedExits; ++run) {
    const auto start = steady_clock::now();
    const Result<Exit> exit = vcpu.run();
    const auto end = steady_clock::now();
    if (!exit) {
      return failure(exit.error());
    }
    if (std::holds_alternative<InterruptedExit>(*exit)) {
      continue;
    }
    if (!(std::holds_alternative<Expected>(*exit) || ...)) {
      return failure(make_error(ErrorKind::kNoKvm, "a trial guest met the exit \"{}\"",
                                exit_kind_name(exit->index())));
    }
    times.push_back(end - start);
  }
  if (times.size() < kWarmUpExits + kTimedExits) {
    return failure(make_error(ErrorKind::kNoKvm, "signals kept interrupting a trial guest"));
  }
  times.erase(times.begin(), times.begin() + kWarmUpExits);
  std::sort(times.begin(), times.end());
  return ExitCost{
      .median = times.at(times.size() / 2), .least = times.front(), .count = times.size()};
}

template <typename... Expected>
Result<ExitCost> time_guest(const KvmSystem& kvm, std::span<const std::byte> code) {
  auto machine = make_machine(kvm, code);
  if (!machine) {
    return failure(machine.error());
  }
  return time_exits<Expected...>(machine->vcpu);
}

}  // namespace

Result<TrialRun> run_trial(const KvmSystem& kvm) {
  const TrialCode code = trial_code();
  TrialRun trial;
  const auto start = steady_clock::now();
  auto machine = make_machine(kvm, code.device_writes);
  trial.vm_ready = steady_clock::now() - start;
  if (!machine) {
    return failure(machine.error());
  }
  const auto writes = time_exits<PortExit, MmioExit>(machine->vcpu);
  if (!writes) {
    return failure(writes.error());
  }
  trial.device_write = *writes;
  if (!code.halts.empty()) {
    const auto halts = time_guest<HaltExit>(kvm, code.halts);
    if (!halts) {
      return failure(halts.error());
    }
    trial.halt = *halts;
  }
  return trial;
}

}  // namespace nestling
