// PC, which KVM moves on only when the vCPU runs again, and the operand of the instruction there.
#include "vmm/access_origin.h"

#include "addrspace/space_memory.h"
#include "vmm/aarch64/guest_view.h"
#include "vmm/aarch64/memory_operand.h"
#include "vmm/aarch64/undecoded_access.h"
#include "vmm/aarch64/vcpu_state.h"

namespace nestling {

namespace {

/// Where the piece of `access` begins that is told of as the one at `gpa`.
std::optional<GuestVirtAddr> place_in(const aarch64::UndecodedAccess& access,
                                      aarch64::GuestView& view, GuestPhysAddr gpa) {
  for (std::size_t offset = 0; offset < access.size(); offset += piece_size(access, offset)) {
    const auto address = access.address.plus(offset);
    if (address && view.physical(*address) == gpa) {
      return address;
    }
  }
  return std::nullopt;
}

}  // namespace

AccessOrigin origin_of_access(const Vcpu& vcpu, AddressSpace& space, const AccessSeen& seen) {
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return {};
  }
  AccessOrigin origin{GuestPlace{GuestVirtAddr(cpu->pc), ProgramCounterIs::kAtInstruction},
                      std::nullopt};
  // FAR_EL2, which holds the virtual address, is the host's own, and KVM does not show it.
  SpaceMemory memory(space, {.kind = Actor::Kind::kVcpu, .index = vcpu.id()}, Unpopulated::kFails);
  aarch64::GuestView view(*cpu, memory);
  const auto instruction = view.read_object<std::uint32_t>(GuestVirtAddr(cpu->pc));
  if (!instruction) {
    return origin;
  }
  if (const auto operand = aarch64::memory_operand(*instruction, *cpu)) {
    if (view.physical(operand->address) == seen.gpa) {
      origin.virtual_address = operand->address;
    }
  } else if (const auto access = aarch64::undecoded_access(*instruction, *cpu)) {
    origin.virtual_address = place_in(*access, view, seen.gpa);
  }
  return origin;
}

}  // namespace nestling
