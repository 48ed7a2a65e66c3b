// The arm64 machine: RAM between and behind the device windows, vCPUs at EL1.
#include "vmm/architecture.h"

#include <array>
#include <vector>

#include "boot/aarch64/device_tree.h"
#include "boot/aarch64/prepare_boot.h"
#include "boot/aarch64/ram_layout.h"
#include "vmm/aarch64/crash_report.h"
#include "vmm/aarch64/guest_view.h"
#include "vmm/aarch64/syndrome.h"
#include "vmm/aarch64/vcpu_state.h"
#include "vmm/native.h"

namespace nestling {

Result<std::vector<GuestPhysRange>> ram_layout(const KvmSystem& kvm, std::uint64_t size) {
  return aarch64::ram_ranges(size, guest_address_bits(kvm));
}

Irqchip offered_irqchip(Irqchip /*wanted*/) { return Irqchip::kInKernel; }

Result<void> boot_vcpus(const KvmSystem& /*kvm*/, const Vm& vm, std::span<Vcpu> vcpus,
                        Irqchip /*irqchip*/, const BootRequest& request, GuestMemory& memory,
                        const Log& /*log*/) {
  std::vector<std::uint64_t> affinities;
  for (const Vcpu& vcpu : vcpus) {
    affinities.push_back(aarch64::cpu_affinity(vcpu.id()));
  }
  BootRequest complete = request;
  complete.cpu_ids = affinities;
  const auto entry = aarch64::prepare_boot(complete, memory);
  if (!entry) {
    return failure(entry.error());
  }
  if (auto done = aarch64::initialize(vm, vcpus); !done) {
    return done;
  }
  // The others wait for the first one to start them through PSCI, which says where.
  return aarch64::set_entry_state(vcpus.front(), *entry);
}

/// On arm64 there is nothing to tell: the guest takes an instruction that is out of reach for an
/// abort of its own.
void tell_of_unreadable_instructions(const Vm& /*vm*/) {}

std::array<GuestPhysRange, 2> instruction_at(const Vcpu& vcpu, GuestMemory& memory) {
  constexpr std::uint64_t kInstructionSize = 4;
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return {};
  }
  aarch64::GuestView view(*cpu, memory);
  const auto address = view.physical(GuestVirtAddr(cpu->pc));
  // Instructions are aligned, so that none stands in two pages.
  const auto range = address ? GuestPhysRange::make(*address, kInstructionSize) : std::nullopt;
  return {range.value_or(GuestPhysRange()), GuestPhysRange()};
}

namespace {

/// Also of the instruction that could not be fetched, or whose table could not be read: KVM lets
/// the guest know, so that the CPU went on to its vectors, or round in them.
std::vector<GuestPhysAddr> instruction_path(const aarch64::CrashScene& scene) {
  aarch64::GuestView view(scene.cpu, scene.memory);
  std::vector<GuestPhysAddr> path;
  const auto add = [&](std::uint64_t address, AccessKind kind) {
    const aarch64::GuestWalk walk = view.walk(GuestVirtAddr(address), kind);
    for (const WalkStep& step : walk.trace.steps()) {
      path.push_back(step.location().address);
    }
    if (walk.outcome && kind == AccessKind::kExecute) {
      path.push_back(walk.outcome->gpa);
    }
  };
  add(scene.cpu.pc, AccessKind::kExecute);
  if (aarch64::is_external_abort(scene.cpu.esr)) {
    const bool was_fetch = aarch64::is_instruction_abort(scene.cpu.esr);
    add(scene.cpu.far, was_fetch ? AccessKind::kExecute : AccessKind::kRead);
  }
  return path;
}

}  // namespace

Result<Postmortem> examine(const StoppedVcpu& stopped) {
  const auto cpu = aarch64::read_cpu_state(stopped.vcpu);
  if (!cpu) {
    return failure(cpu.error());
  }
  const aarch64::CrashScene scene{.vcpu = stopped.vcpu.id(),
                                  .cpu = *cpu,
                                  .memory = stopped.memory,
                                  .symbols = stopped.symbols,
                                  .last_exits = stopped.last_exits,
                                  .exit_count = stopped.exit_count,
                                  .last_console_line = stopped.last_console_line};
  return Postmortem{.location = aarch64::location(scene),
                    .shutdown_reason = aarch64::unhandled_exception_reason(scene),
                    .may_lack_slot = aarch64::is_external_abort(cpu->esr),
                    .hang_reason = aarch64::exception_loop_reason(scene),
                    .report = aarch64::crash_report(scene),
                    .instruction_path = instruction_path(scene)};
}

}  // namespace nestling
