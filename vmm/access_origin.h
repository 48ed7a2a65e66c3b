// Which instruction of the guest made an access, and at which address of its own; one definition in
// each of vmm/x86_64, vmm/aarch64.
#pragma once

#include <cstdint>
#include <optional>

#include "addrspace/address_space.h"
#include "addrspace/range.h"
#include "vmm/audit/audit_event.h"
#include "vmm/exit.h"
#include "vmm/vcpu.h"

namespace nestling {

/// An access as KVM tells of it.
struct AccessSeen {
  enum class Way : std::uint8_t { kMemory, kPort };

  Way way = Way::kMemory;
  Direction direction = Direction::kRead;
  GuestPhysAddr gpa;  ///< of memory
};

/// What is known for sure; the rest is empty.
struct AccessOrigin {
  std::optional<GuestPlace> place;
  /// The address that the guest's instruction used.
  std::optional<GuestVirtAddr> virtual_address;
};

/// The origin of the access over which `vcpu` exited. Called by the thread that handles the exit,
/// before the vCPU runs again. `space` is only read, and nothing in it is populated.
[[nodiscard]] AccessOrigin origin_of_access(const Vcpu& vcpu, AddressSpace& space,
                                            const AccessSeen& seen);

}  // namespace nestling
