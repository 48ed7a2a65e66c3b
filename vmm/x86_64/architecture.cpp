// The x86_64 machine: RAM around the device window, PC interrupt controllers, vCPUs in long mode.
#include "vmm/architecture.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "addrspace/space_memory.h"
#include "boot/x86_64/prepare_boot.h"
#include "boot/x86_64/ram_layout.h"
#include "vmm/access_origin.h"
#include "vmm/kvm_api.h"
#include "vmm/stopped_access.h"
#include "vmm/x86_64/access_origin.h"
#include "vmm/x86_64/cpuid.h"
#include "vmm/x86_64/crash_report.h"
#include "vmm/x86_64/guest_view.h"
#include "vmm/x86_64/paging_features.h"
#include "vmm/x86_64/vcpu_state.h"

namespace nestling {

Result<std::vector<GuestPhysRange>> ram_layout(const KvmSystem& /*kvm*/, std::uint64_t size) {
  return x86_64::ram_ranges(size);
}

Irqchip offered_irqchip(Irqchip wanted) { return wanted; }

namespace {

x86_64::LocalApic local_apic(const KvmSystem& kvm, Irqchip irqchip) {
  if (irqchip == Irqchip::kAbsent) {
    return x86_64::LocalApic::kAbsent;
  }
  return kvm.extension(KVM_CAP_TSC_DEADLINE_TIMER) != 0
             ? x86_64::LocalApic::kInKernelWithDeadlineTimer
             : x86_64::LocalApic::kInKernel;
}

}  // namespace

Result<void> boot_vcpus(const KvmSystem& kvm, const Vm& /*vm*/, std::span<Vcpu> vcpus,
                        Irqchip irqchip, const BootRequest& request, GuestMemory& memory,
                        const Log& log) {
  if (vcpus.size() > 1 && irqchip == Irqchip::kAbsent) {
    return failure(make_error(ErrorKind::kUsage,
                              "{} CPUs without interrupt controllers: nothing could start the "
                              "others; leave out --irqchip off",
                              vcpus.size()));
  }
  std::vector<std::uint64_t> apic_ids(vcpus.size());
  std::iota(apic_ids.begin(), apic_ids.end(), 0);
  BootRequest complete = request;
  complete.cpu_ids = apic_ids;
  const auto entry = x86_64::prepare_boot(complete, memory);
  if (!entry) {
    return failure(entry.error());
  }
  const auto supported = x86_64::supported_cpuid(kvm);
  if (!supported) {
    return failure(supported.error());
  }
  const auto count = static_cast<std::uint32_t>(vcpus.size());
  for (const Vcpu& vcpu : vcpus) {
    const auto table = x86_64::cpuid_for(*supported, {.vcpu_id = vcpu.id(), .vcpu_count = count},
                                         local_apic(kvm, irqchip));
    if (auto done = x86_64::set_cpuid(vcpu, table); !done) {
      return done;
    }
    x86_64::set_boot_msrs(vcpu, log);
  }
  // The others wait for the first one to start them.
  if (count > 1) {
    if (auto done = x86_64::refresh_apic_map(vcpus.front()); !done) {
      return done;
    }
  }
  return x86_64::set_entry_state(vcpus.front(), *entry);
}

void tell_of_unreadable_instructions(const Vm& vm) {
  // Without it KVM also queues an invalid-opcode exception, and outside ring 0 does nothing else.
  kvm_enable_cap request{};
  request.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE;
  request.args[0] = 1;
  // Refused before Linux 5.14: there such guests shut down, and the report says what to do.
  (void)kvm_ioctl(vm.fd(), KVM_ENABLE_CAP, &request);
}

std::array<GuestPhysRange, 2> instruction_at(const Vcpu& vcpu, GuestMemory& memory) {
  constexpr std::uint64_t kLongest = 15;
  std::array<GuestPhysRange, 2> pieces{};
  const auto cpu = x86_64::read_cpu_state(vcpu);
  if (!cpu) {
    return pieces;
  }
  x86_64::GuestView view(*cpu, memory, x86_64::paging_features());
  const GuestVirtAddr first = view.instruction();
  const std::uint64_t in_first_page =
      std::min(kLongest, kPageSize - (first.value() & (kPageSize - 1)));
  const auto put = [&](GuestPhysRange& piece, std::optional<GuestVirtAddr> at, std::uint64_t size) {
    const auto gpa = at && size != 0 ? view.physical(*at) : std::nullopt;
    piece = gpa ? GuestPhysRange::make(*gpa, size).value_or(GuestPhysRange()) : GuestPhysRange();
  };
  put(pieces[0], first, in_first_page);
  put(pieces[1], first.plus(in_first_page), kLongest - in_first_page);
  return pieces;
}

namespace {

std::vector<GuestPhysAddr> instruction_path(const x86_64::CrashScene& scene) {
  x86_64::GuestView view(scene.cpu, scene.memory, scene.features);
  const x86_64::GuestWalk walk = view.walk(view.instruction(), AccessKind::kExecute);
  std::vector<GuestPhysAddr> path;
  for (const WalkStep& step : walk.trace.steps()) {
    path.push_back(step.location().address);
  }
  if (walk.outcome) {
    path.push_back(walk.outcome->gpa);
  }
  return path;
}

}  // namespace

Result<Postmortem> examine(const StoppedVcpu& stopped) {
  const auto cpu = x86_64::read_cpu_state(stopped.vcpu);
  if (!cpu) {
    return failure(cpu.error());
  }
  const x86_64::CrashScene scene{.vcpu = stopped.vcpu.id(),
                                 .cpu = *cpu,
                                 .memory = stopped.memory,
                                 .features = x86_64::paging_features(),
                                 .symbols = stopped.symbols,
                                 .last_exits = stopped.last_exits,
                                 .exit_count = stopped.exit_count,
                                 .last_console_line = stopped.last_console_line};
  return Postmortem{.location = x86_64::location(scene),
                    .shutdown_reason = x86_64::triple_fault_reason(scene),
                    .report = x86_64::crash_report(scene),
                    .instruction_path = instruction_path(scene)};
}

AccessesTold accesses_told() { return AccessesTold::kByByte; }

Result<void> take_back_access(Vcpu& vcpu, Direction /*direction*/) {
  // KVM emulates the instruction, and is in the midst of it.
  return failure(make_error(ErrorKind::kBug, "vCPU {} cannot take back an access", vcpu.id()));
}

/// KVM describes, or makes, every access on x86.
std::optional<StoppedAccess::Whole> whole_access(const Vcpu& /*vcpu*/, GuestMemory& /*memory*/) {
  return std::nullopt;
}

Result<void> complete_access(const Vcpu& /*vcpu*/, GuestMemory& /*memory*/,
                             const StoppedAccess::Whole& /*whole*/) {
  return {};
}

std::optional<StoppedAccess::Parts> parts_of_access(const Vcpu& /*vcpu*/, GuestMemory& /*memory*/,
                                                    const MmioExit& /*exit*/) {
  return std::nullopt;
}

AccessOrigin origin_of_access(const Vcpu& vcpu, AddressSpace& space, const AccessSeen& seen) {
  const auto cpu = x86_64::read_cpu_state(vcpu);
  if (!cpu) {
    return {};
  }
  SpaceMemory memory(space, {.kind = Actor::Kind::kVcpu, .index = vcpu.id()}, Unpopulated::kFails);
  x86_64::GuestView view(*cpu, memory, x86_64::paging_features());
  return x86_64::origin_of_access(view, seen);
}

}  // namespace nestling
