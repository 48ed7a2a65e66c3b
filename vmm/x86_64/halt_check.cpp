// Halted for good? From the vCPU's run state, its interrupt flag and its local APIC's timer.
#include "vmm/halt_check.h"

#include <array>
#include <cstring>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"
#include "vmm/x86_64/msr.h"

namespace nestling {

namespace {

// Local APIC registers by offset (Intel SDM volume 3, "Local APIC Register Address Map").
constexpr std::size_t kLvtTimer = 0x320;
constexpr std::size_t kTimerInitialCount = 0x380;
constexpr std::size_t kTimerCurrentCount = 0x390;

constexpr std::uint32_t kMsrTscDeadline = 0x6e0;

std::uint32_t apic_register(const kvm_lapic_state& apic, std::size_t offset) {
  std::uint32_t value = 0;
  std::memcpy(&value, &apic.regs[offset], sizeof value);
  return value;
}

bool apic_timer_is_armed(const Vcpu& vcpu) {
  constexpr std::uint32_t kMasked = 1U << 16;
  constexpr std::uint32_t kModePeriodic = 1;
  constexpr std::uint32_t kModeDeadline = 2;
  kvm_lapic_state apic{};
  if (kvm_ioctl(vcpu.fd(), KVM_GET_LAPIC, &apic) != 0) {
    return true;  // the host does not tell: assume the best
  }
  const std::uint32_t timer = apic_register(apic, kLvtTimer);
  if ((timer & kMasked) != 0) {
    return false;
  }
  switch ((timer >> 17) & 3) {
    case kModePeriodic:
      return apic_register(apic, kTimerInitialCount) != 0;
    case kModeDeadline:
      return x86_64::read_msr(vcpu, kMsrTscDeadline).value_or(0) != 0;
    default:
      return apic_register(apic, kTimerCurrentCount) != 0;
  }
}

}  // namespace

std::uint64_t halts_per_kick() { return 0; }

bool is_halted_without_timer(const Vcpu& vcpu, GuestMemory& /*memory*/) {
  constexpr std::uint64_t kInterruptFlag = 1ULL << 9;
  kvm_mp_state state{};
  if (kvm_ioctl(vcpu.fd(), KVM_GET_MP_STATE, &state) != 0) {
    return false;
  }
  // A processor that waits to be started runs only if another one starts it.
  if (state.mp_state == KVM_MP_STATE_UNINITIALIZED ||
      state.mp_state == KVM_MP_STATE_INIT_RECEIVED) {
    return true;
  }
  kvm_regs registers{};
  if (state.mp_state != KVM_MP_STATE_HALTED ||
      kvm_ioctl(vcpu.fd(), KVM_GET_REGS, &registers) != 0) {
    return false;
  }
  return (registers.rflags & kInterruptFlag) == 0 || !apic_timer_is_armed(vcpu);
}

}  // namespace nestling
