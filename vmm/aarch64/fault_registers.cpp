// One register for each vector.
#include "vmm/aarch64/fault_registers.h"

#include "boot/aarch64/boot_vectors.h"

namespace nestling::aarch64 {

std::uint64_t FaultRegisters::read(std::uint64_t offset, AccessWidth /*width*/) {
  const std::uint64_t vector = offset / sizeof(std::uint32_t);
  if (vector < kVectorCount) {
    power_.unhandled_exception(vector_name(vector));
  }
  return 0;
}

void FaultRegisters::write(std::uint64_t /*offset*/, AccessWidth /*width*/,
                           std::uint64_t /*value*/) {}

}  // namespace nestling::aarch64
