// Comparing PC, VBAR_EL1 and ELR_EL1.
#include "vmm/aarch64/exception_state.h"

#include "boot/aarch64/boot_vectors.h"

namespace nestling::aarch64 {

namespace {

bool is_in_vectors(const CpuState& cpu) { return cpu.pc - cpu.vbar < kVectorsSize; }

}  // namespace

bool is_in_boot_vectors(GuestView& view) {
  const CpuState& cpu = view.cpu();
  if (!is_in_vectors(cpu) || cpu.vbar % kVectorsSize != 0) {
    return false;
  }
  const auto expected = make_boot_vectors(GuestPhysAddr(cpu.vbar));
  const auto found = view.read_object<BootVectors>(GuestVirtAddr(cpu.vbar));
  return expected && found == expected;
}

bool is_exception_loop(const CpuState& cpu) {
  // A handler that works takes the exception's address from elsewhere than its own first
  // instruction, and the vector of an exception from its own first instruction is that of EL1.
  constexpr std::uint64_t kSynchronousFromOwnStack = 0x200;
  return cpu.pc == cpu.elr && cpu.pc == cpu.vbar + kSynchronousFromOwnStack;
}

CpuState before_exception(const CpuState& cpu) {
  CpuState before = cpu;
  before.pc = cpu.elr;
  before.pstate = cpu.spsr;
  return before;
}

}  // namespace nestling::aarch64
