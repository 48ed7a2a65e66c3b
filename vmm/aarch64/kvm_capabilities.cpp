// The capabilities that the arm64 machine is built on.
#include "vmm/kvm_capabilities.h"

#include <span>
#include <string>
#include <utility>

#include <fmt/core.h>

#include "addrspace/aarch64/stage1_format.h"
#include "vmm/aarch64/vcpu_state.h"
#include "vmm/kvm_api.h"
#include "vmm/native.h"

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
      fact("KVM_CAP_ONE_REG", KVM_CAP_ONE_REG, Need::kRequired, "reading and setting registers"),
      fact("KVM_CAP_IMMEDIATE_EXIT", KVM_CAP_IMMEDIATE_EXIT, Need::kRequired,
           "Ctrl-C and --timeout stop any guest"),
      fact("KVM_CAP_DEVICE_CTRL", KVM_CAP_DEVICE_CTRL, Need::kRequired,
           "the interrupt controller is made with it"),
      fact("KVM_CAP_ARM_PSCI_0_2", KVM_CAP_ARM_PSCI_0_2, Need::kRequired,
           "guests power off, reset and start CPUs with it"),
      fact("KVM_CAP_ARM_VM_IPA_SIZE", KVM_CAP_ARM_VM_IPA_SIZE, Need::kOptional,
           "more or fewer than 40 bits of guest-physical address"),
      fact("KVM_CAP_ARM_NISV_TO_USER", KVM_CAP_ARM_NISV_TO_USER, Need::kOptional,
           "explaining device accesses that the processor does not describe"),
      fact("KVM_CAP_READONLY_MEM", KVM_CAP_READONLY_MEM, Need::kOptional,
           "guest memory that the guest cannot write"),
      fact("KVM_CAP_MP_STATE", KVM_CAP_MP_STATE, Need::kOptional, "recognising that a guest hangs"),
  };
}

namespace {

/// "GICv3, GICv2": what a machine may have.
std::string interrupt_controllers(const Vm& vm) {
  std::string words;
  for (const auto& [type, name] : {std::pair(KVM_DEV_TYPE_ARM_VGIC_V3, "GICv3"),
                                   std::pair(KVM_DEV_TYPE_ARM_VGIC_V2, "GICv2")}) {
    kvm_create_device device{};
    device.type = static_cast<std::uint32_t>(type);
    device.flags = KVM_CREATE_DEVICE_TEST;
    if (kvm_ioctl(vm.fd(), KVM_CREATE_DEVICE, &device) == 0) {
      words += words.empty() ? name : fmt::format(", {}", name);
    }
  }
  return words.empty() ? "none" : words;
}

std::string granules(std::uint64_t memory_features) {
  using aarch64::stage1::field;
  std::string words = "pages of";
  // TGran4 and TGran64 are 15 where there are none, TGran16 is 0 (Arm ARM, "ID_AA64MMFR0_EL1").
  words += field(memory_features, 28, 4) != 15 ? " 4" : "";
  words += field(memory_features, 20, 4) != 0 ? " 16" : "";
  words += field(memory_features, 24, 4) != 15 ? " 64" : "";
  return words + " KiB";
}

}  // namespace

std::vector<MachineFact> machine_facts(const KvmSystem& kvm) {
  auto vm = kvm.create_vm();
  if (!vm) {
    return {};
  }
  std::vector<MachineFact> facts = {
      {.subject = "interrupts", .text = interrupt_controllers(*vm)},
      {.subject = "addresses",
       .text = fmt::format("{} bits of guest-physical address", guest_address_bits(kvm))}};
  const auto vcpu = vm->create_vcpu(0);
  if (!vcpu || !aarch64::initialize(*vm, std::span(&*vcpu, 1))) {
    return facts;
  }
  if (const auto features = aarch64::read_register(*vcpu, aarch64::kMemoryFeatures0)) {
    facts.push_back({.subject = "page tables",
                     .text = fmt::format("{}, {} bits of address", granules(*features),
                                         aarch64::stage1::output_bits(*features & 0xf))});
  }
  if (const auto psci =
          aarch64::read_register(*vcpu, aarch64::RegisterId{KVM_REG_ARM_PSCI_VERSION})) {
    facts.push_back(
        {.subject = "PSCI", .text = fmt::format("version {}.{}", *psci >> 16, *psci & 0xffff)});
  }
  return facts;
}

}  // namespace nestling
