// Whether a vCPU that KVM holds halted can ever be woken; one definition for each architecture.
#pragma once

#include "vmm/vcpu.h"

namespace nestling {

/// True when `vcpu` is halted and no timer of its own can wake it: only a device or another vCPU
/// could. Called on the vCPU's own thread, between runs. False when the host does not tell.
[[nodiscard]] bool is_halted_without_timer(const Vcpu& vcpu);

}  // namespace nestling
