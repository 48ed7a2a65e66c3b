// Whether a vCPU that KVM holds halted can ever be woken; one definition for each architecture.
#pragma once

#include <cstdint>

#include "addrspace/guest_memory.h"
#include "vmm/vcpu.h"

namespace nestling {

/// True when `vcpu` is halted and no timer of its own can wake it: only a device or another vCPU
/// could. On arm64 also when it goes round in exceptions for ever. `memory` is the guest's. Called
/// on the vCPU's own thread, between runs. False when the host does not tell.
[[nodiscard]] bool is_halted_without_timer(const Vcpu& vcpu, GuestMemory& memory);

/// How many halts a vCPU adds to its count (HaltCounter) when it is kicked out of one and goes
/// back: on arm64 a kick ends the wait, and the guest waits anew.
[[nodiscard]] std::uint64_t halts_per_kick();

}  // namespace nestling
