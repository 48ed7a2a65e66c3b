// PC, which KVM moves on only when the vCPU runs again.
#include "vmm/access_origin.h"

#include "vmm/aarch64/vcpu_state.h"

namespace nestling {

AccessOrigin origin_of_access(const Vcpu& vcpu, AddressSpace& /*space*/,
                              const AccessSeen& /*seen*/) {
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return {};
  }
  // FAR_EL2, which holds the virtual address, is the host's own, and KVM does not show it.
  return {GuestPlace{GuestVirtAddr(cpu->pc), ProgramCounterIs::kAtInstruction}, std::nullopt};
}

}  // namespace nestling
