// The capabilities that the x86_64 machine is built on.
#include "vmm/kvm_capabilities.h"

#include "vmm/kvm_api.h"

namespace nestling {

std::vector<CapabilityFact> kvm_capabilities(const KvmSystem& kvm) {
  using Need = CapabilityFact::Need;
  const auto fact = [&kvm](const char* name, std::uint32_t number, Need need,
                           const char* purpose) -> CapabilityFact {
    return {.name = name, .purpose = purpose, .need = need, .value = kvm.extension(number)};
  };
  return {
      fact("KVM_CAP_USER_MEMORY", KVM_CAP_USER_MEMORY, Need::kRequired,
           "guest RAM is memory of this process"),
      fact("KVM_CAP_EXT_CPUID", KVM_CAP_EXT_CPUID, Need::kRequired, "what CPUID tells the guest"),
      fact("KVM_CAP_IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT, Need::kRequired,
           "Ctrl-C and --timeout stop any guest"),
      fact("KVM_CAP_IRQCHIP", KVM_CAP_IRQCHIP, Need::kOptional,
           "interrupt controllers, for guests that ask for them"),
      fact("KVM_CAP_PIT2", KVM_CAP_PIT2, Need::kOptional, "their timer"),
      fact("KVM_CAP_TSC_DEADLINE_TIMER", KVM_CAP_TSC_DEADLINE_TIMER, Need::kOptional,
           "their local APIC's precise timer"),
      fact("KVM_CAP_MP_STATE", KVM_CAP_MP_STATE, Need::kOptional,
           "recognising that such a guest hangs"),
      fact("KVM_CAP_PIT_STATE2", KVM_CAP_PIT_STATE2, Need::kOptional,
           "recognising that such a guest hangs"),
  };
}

std::vector<MachineFact> machine_facts(const KvmSystem& /*kvm*/) { return {}; }

}  // namespace nestling
