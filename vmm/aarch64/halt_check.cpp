// Waiting for good? From the vCPU's power, the instruction before PC, and its timers.
#include "vmm/halt_check.h"

#include "vmm/aarch64/exception_state.h"
#include "vmm/aarch64/guest_view.h"
#include "vmm/aarch64/vcpu_state.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling {

namespace {

/// A kick ends a wait as any spurious wake-up would: PC is behind the instruction.
bool is_behind_wait(aarch64::GuestView& view) {
  constexpr std::uint32_t kWaitForInterrupt = 0xd503'207f;
  constexpr std::uint64_t kInstructionSize = 4;
  return view.read_object<std::uint32_t>(GuestVirtAddr(view.cpu().pc - kInstructionSize)) ==
         kWaitForInterrupt;
}

/// True when this timer is to raise its interrupt, or raises it already. False too where KVM does
/// not tell, as it did not always of the physical timer: Platform::may_have_hidden_timer() is for
/// that.
bool may_fire(const Vcpu& vcpu, aarch64::RegisterId control) {
  constexpr std::uint64_t kEnabled = 1;
  constexpr std::uint64_t kMasked = 2;
  const auto value = aarch64::read_register(vcpu, control);
  return value && (*value & (kEnabled | kMasked)) == kEnabled;
}

}  // namespace

std::uint64_t halts_per_kick() { return 1; }

bool is_halted_without_timer(const Vcpu& vcpu, GuestMemory& memory) {
  kvm_mp_state state{};
  if (kvm_ioctl(vcpu.fd(), KVM_GET_MP_STATE, &state) != 0) {
    return false;
  }
  // A processor that is off runs only if another one starts it.
  if (state.mp_state == KVM_MP_STATE_STOPPED) {
    return true;
  }
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return false;
  }
  if (aarch64::is_exception_loop(*cpu)) {
    return true;
  }
  aarch64::GuestView view(*cpu, memory);
  return is_behind_wait(view) && !may_fire(vcpu, aarch64::kVirtualTimerControl) &&
         !may_fire(vcpu, aarch64::kPhysicalTimerControl);
}

}  // namespace nestling
