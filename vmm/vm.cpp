// The VM's ioctls.
#include "vmm/vm.h"

#include <cerrno>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling {

Result<Vcpu> Vm::create_vcpu(std::uint32_t id) {
  UniqueFd fd(kvm_ioctl(fd_.get(), KVM_CREATE_VCPU, id));
  if (!fd) {
    return failure(host_error(fmt::format("KVM_CREATE_VCPU {}", id), errno));
  }
  auto run_area = HostMapping::shared(fd.get(), run_size_, kPageSize);
  if (!run_area) {
    return failure(run_area.error());
  }
  return Vcpu(id, std::move(fd), std::move(*run_area));
}

Result<void> Vm::set_irq_line(std::uint32_t gsi, IrqLevel level) const {
  kvm_irq_level line{};
  line.irq = gsi;
  line.level = level == IrqLevel::kHigh ? 1 : 0;
  if (kvm_ioctl(fd_.get(), KVM_IRQ_LINE, &line) < 0) {
    return failure(host_error(fmt::format("KVM_IRQ_LINE {}", gsi), errno));
  }
  return {};
}

}  // namespace nestling
