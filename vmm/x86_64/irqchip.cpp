// Creating the controllers, and reading their registers to see whether a tick can arrive.
#include "vmm/x86_64/irqchip.h"

#include <cerrno>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling::x86_64 {

Result<void> create_irqchip(const Vm& vm) {
  if (kvm_ioctl(vm.fd(), KVM_CREATE_IRQCHIP) < 0) {
    return failure(host_error("KVM_CREATE_IRQCHIP", errno));
  }
  kvm_pit_config config{};
  config.flags = KVM_PIT_SPEAKER_DUMMY;
  if (kvm_ioctl(vm.fd(), KVM_CREATE_PIT2, &config) < 0) {
    return failure(host_error("KVM_CREATE_PIT2", errno));
  }
  return {};
}

void KvmIrqLine::set(IrqLevel level) {
  if (const auto done = vm_.set_irq_line(irq_, level); !done) {
    log_.warn("{}", done.error().message);
  }
}

namespace {

constexpr std::uint64_t kRedirectionMasked = 1ULL << 16;

bool pic_passes_irq0(const Vm& vm) {
  kvm_irqchip chip{};
  chip.chip_id = KVM_IRQCHIP_PIC_MASTER;
  return kvm_ioctl(vm.fd(), KVM_GET_IRQCHIP, &chip) == 0 && (chip.chip.pic.imr & 1) == 0;
}

/// The PIT reaches pin 2 of the I/O APIC; KVM's default routing gives it pin 0 too.
bool io_apic_passes_pit(const Vm& vm) {
  kvm_irqchip chip{};
  chip.chip_id = KVM_IRQCHIP_IOAPIC;
  if (kvm_ioctl(vm.fd(), KVM_GET_IRQCHIP, &chip) != 0) {
    return false;
  }
  const auto& pins = chip.chip.ioapic.redirtbl;
  return (pins[0].bits & kRedirectionMasked) == 0 || (pins[2].bits & kRedirectionMasked) == 0;
}

}  // namespace

bool pit_may_interrupt(const Vm& vm) {
  kvm_pit_state2 pit{};
  if (kvm_ioctl(vm.fd(), KVM_GET_PIT2, &pit) != 0) {
    return false;
  }
  // Modes 2 and 3 repeat. A one-shot count is over within 55 ms, which the caller waits out.
  const std::uint8_t mode = pit.channels[0].mode;
  const bool periodic = mode == 2 || mode == 3 || mode == 6 || mode == 7;
  return periodic && (pic_passes_irq0(vm) || io_apic_passes_pit(vm));
}

}  // namespace nestling::x86_64
