// Translating with the registers of a vCPU that has just exited.
#include "vmm/aarch64/vcpu_state.h"
#include "vmm/architecture.h"
#include "vmm/live_walk.h"

namespace nestling {

GuestTranslation translate_live(const Vcpu& vcpu, AddressSpace& space, GuestVirtAddr address,
                                GuestAccess access) {
  const auto cpu = aarch64::read_cpu_state(vcpu);
  if (!cpu) {
    return {};
  }
  return walk_live(space, aarch64::translation_state(*cpu),
                   {.kind = Actor::Kind::kVcpu, .index = vcpu.id()}, address, access,
                   [](const aarch64::TranslationFault& fault) -> std::uint64_t {
                     return aarch64::status_code(fault);
                   });
}

}  // namespace nestling
