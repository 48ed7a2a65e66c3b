// An access that a processor told of by the page that it lacks: taken back, or cut at the page's
// edge.
#include "vmm/stopped_access.h"

#include <vector>

#include "vmm/aarch64/guest_view.h"
#include "vmm/aarch64/memory_operand.h"
#include "vmm/aarch64/vcpu_state.h"

namespace nestling {

AccessesTold accesses_told() { return AccessesTold::kByPage; }

Result<void> take_back_access(Vcpu& vcpu, Direction direction) {
  // What KVM changes when it finishes an access: it moves PC on, which PSTATE takes part in, and
  // loads the one register, which only the instruction names.
  std::vector<aarch64::RegisterId> ids = {aarch64::kPc, aarch64::kPstate};
  if (direction == Direction::kRead) {
    for (std::uint64_t number = 0; number < 31; ++number) {
      ids.push_back(aarch64::general_register(number));
    }
  }
  std::vector<std::uint64_t> before;
  for (const aarch64::RegisterId id : ids) {
    const auto value = aarch64::read_register(vcpu, id);
    if (!value) {
      return failure(value.error());
    }
    before.push_back(*value);
  }
  if (auto done = vcpu.finish_exit(); !done) {
    return done;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto value = aarch64::read_register(vcpu, ids[i]);
    if (!value) {
      return failure(value.error());
    }
    if (*value != before[i]) {
      if (auto done = aarch64::write_register(vcpu, ids[i], before[i]); !done) {
        return done;
      }
    }
  }
  return {};
}

std::optional<StoppedAccess::Parts> parts_of_access(const Vcpu& vcpu, GuestMemory& memory,
                                                    const MmioExit& exit) {
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return std::nullopt;
  }
  aarch64::GuestView view(*cpu, memory);
  const auto instruction = view.read_object<std::uint32_t>(GuestVirtAddr(cpu->pc));
  const auto operand = instruction ? aarch64::memory_operand(*instruction, *cpu) : std::nullopt;
  if (!operand || operand->size != exit.data.size()) {
    return std::nullopt;
  }
  const std::uint64_t below = kPageSize - operand->address.value() % kPageSize;
  const auto edge = operand->address.plus(below);
  if (below >= operand->size || !edge) {
    return std::nullopt;
  }
  const auto first = view.physical(operand->address);
  const auto behind = view.physical(*edge);
  // One of the two is what the processor told of, or the code has changed since.
  if (!first || !behind || (exit.address != *first && exit.address != *behind)) {
    return std::nullopt;
  }
  return StoppedAccess::Parts{
      .below = static_cast<std::size_t>(below), .first = *first, .behind = *behind};
}

}  // namespace nestling
