// Two accesses, no state.
#include "devices/exit_register.h"

namespace nestling {

std::uint64_t ExitRegister::read(std::uint64_t /*offset*/, AccessWidth /*width*/) { return 0; }

void ExitRegister::write(std::uint64_t /*offset*/, AccessWidth /*width*/, std::uint64_t value) {
  power_.guest_exit(value);
}

}  // namespace nestling
