// What a vCPU knows of the access that stopped it; one definition in each of vmm/x86_64,
// vmm/aarch64.
#pragma once

#include <cstdint>
#include <optional>

#include "addrspace/guest_memory.h"
#include "base/result.h"
#include "vmm/exit.h"
#include "vmm/vcpu.h"

namespace nestling {

/// What an MmioExit's address and data are.
enum class AccessesTold : std::uint8_t {
  kByByte,  ///< bytes without a slot, and where the first is
  kByPage,  ///< all of the access, and the first of its bytes in a page without a slot
};
[[nodiscard]] AccessesTold accesses_told();

/// StoppedAccess::take_back() of `vcpu`, whose last exit is an MmioExit that `direction` is of;
/// leaves immediate exit on. Only where accesses are told by page.
[[nodiscard]] Result<void> take_back_access(Vcpu& vcpu, Direction direction);

/// StoppedAccess::parts() of `vcpu`, whose last exit is `exit`. Page tables that are read in
/// `memory` are populated.
[[nodiscard]] std::optional<StoppedAccess::Parts> parts_of_access(const Vcpu& vcpu,
                                                                  GuestMemory& memory,
                                                                  const MmioExit& exit);

/// StoppedAccess::whole() and complete() of `vcpu`, whose last exit is an UndecodedAccessExit.
/// Page tables that are read in `memory` are populated.
[[nodiscard]] std::optional<StoppedAccess::Whole> whole_access(const Vcpu& vcpu,
                                                               GuestMemory& memory);
[[nodiscard]] Result<void> complete_access(const Vcpu& vcpu, GuestMemory& memory,
                                           const StoppedAccess::Whole& whole);

}  // namespace nestling
