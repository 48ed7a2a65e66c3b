// An access that a processor told of by the page that it lacks: taken back, or cut at the page's
// edge.
#include "vmm/stopped_access.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "vmm/aarch64/guest_view.h"
#include "vmm/aarch64/memory_operand.h"
#include "vmm/aarch64/undecoded_access.h"
#include "vmm/aarch64/vcpu_state.h"

namespace nestling {

namespace {

using aarch64::UndecodedAccess;

/// What the instruction that a stopped vCPU is at accesses.
std::optional<UndecodedAccess> decode(aarch64::GuestView& view) {
  const aarch64::CpuState& cpu = view.cpu();
  const auto instruction = view.read_object<std::uint32_t>(GuestVirtAddr(cpu.pc));
  if (!instruction || cpu.is_big_endian()) {
    return std::nullopt;
  }
  return aarch64::undecoded_access(*instruction, cpu);
}

/// The registers that a store stores, one after the other.
std::optional<std::vector<std::byte>> stored_bytes(const Vcpu& vcpu, const aarch64::CpuState& cpu,
                                                   const UndecodedAccess& access) {
  std::vector<std::byte> data;
  for (std::size_t i = 0; i < access.element_count; ++i) {
    const std::uint8_t number = access.numbers.at(i);
    aarch64::VectorBytes bytes{};
    if (access.registers == UndecodedAccess::Registers::kVector) {
      const auto value = aarch64::read_vector(vcpu, number);
      if (!value) {
        return std::nullopt;
      }
      bytes = *value;
    } else {
      const std::uint64_t value = number == 31 ? 0 : cpu.x.at(number);
      std::memcpy(bytes.data(), &value, sizeof value);
    }
    data.insert(data.end(), bytes.begin(), bytes.begin() + access.element_size);
  }
  return data;
}

Result<void> load(const Vcpu& vcpu, const UndecodedAccess& access, std::size_t index,
                  std::span<const std::byte> element) {
  const std::uint8_t number = access.numbers.at(index);
  if (access.registers == UndecodedAccess::Registers::kVector) {
    aarch64::VectorBytes bytes{};  // what is not loaded becomes zero
    std::copy(element.begin(), element.end(), bytes.begin());
    return aarch64::write_vector(vcpu, number, bytes);
  }
  if (number == 31) {
    return {};
  }
  return aarch64::write_register(vcpu, aarch64::general_register(number),
                                 aarch64::loaded_value(access.extension, element));
}

}  // namespace

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

std::optional<StoppedAccess::Whole> whole_access(const Vcpu& vcpu, GuestMemory& memory) {
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return std::nullopt;
  }
  aarch64::GuestView view(*cpu, memory);
  const auto access = decode(view);
  if (!access) {
    return std::nullopt;
  }
  const bool is_store = access->direction == Direction::kWrite;
  StoppedAccess::Whole whole{.direction = access->direction, .pieces = {}, .data = {}};
  for (std::size_t done = 0; done < access->size();) {
    const auto address = access->address.plus(done);
    const aarch64::GuestWalk walk = view.walk(address.value_or(GuestVirtAddr(0)),
                                              is_store ? AccessKind::kWrite : AccessKind::kRead);
    // The guest may have changed its tables since.
    if (!address || !walk.outcome) {
      return std::nullopt;
    }
    const std::size_t size = aarch64::piece_size(*access, done);
    whole.pieces.push_back({.address = walk.outcome->gpa, .size = size});
    done += size;
  }
  whole.data.resize(access->size());
  if (is_store) {
    auto data = stored_bytes(vcpu, *cpu, *access);
    if (!data) {
      return std::nullopt;
    }
    whole.data = *std::move(data);
  }
  return whole;
}

Result<void> complete_access(const Vcpu& vcpu, GuestMemory& memory,
                             const StoppedAccess::Whole& whole) {
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return failure(cpu.error());
  }
  aarch64::GuestView view(*cpu, memory);
  const auto access = decode(view);
  if (!access || access->direction != whole.direction || access->size() != whole.data.size()) {
    return {};  // another vCPU has changed the instruction: this one begins anew
  }
  for (std::size_t i = 0; whole.direction == Direction::kRead && i < access->element_count; ++i) {
    const auto element =
        std::span(whole.data).subspan(i * access->element_size, access->element_size);
    if (auto done = load(vcpu, *access, i, element); !done) {
      return done;
    }
  }
  if (access->new_base) {
    const auto base = access->new_base->number == 31
                          ? aarch64::stack_pointer(*cpu)
                          : aarch64::general_register(access->new_base->number);
    if (auto done = aarch64::write_register(vcpu, base, access->new_base->value); !done) {
      return done;
    }
  }
  constexpr std::uint64_t kInstructionSize = 4;
  auto done = aarch64::write_register(vcpu, aarch64::kPc, cpu->pc + kInstructionSize);
  constexpr std::uint64_t kOfOneInstruction = aarch64::kPstateBranchType | aarch64::kPstateStep;
  if (done && (cpu->pstate & kOfOneInstruction) != 0) {
    done = aarch64::write_register(vcpu, aarch64::kPstate, cpu->pstate & ~kOfOneInstruction);
  }
  return done;
}

}  // namespace nestling
