// Which of KVM's capabilities Nestling uses on this architecture, and what for.
#pragma once

#include <vector>

#include "vmm/doctor_report.h"
#include "vmm/kvm_system.h"

namespace nestling {

/// All that are used, with what this host answers. One definition for each architecture.
[[nodiscard]] std::vector<CapabilityFact> kvm_capabilities(const KvmSystem& kvm);

/// What else decides how a guest of this architecture runs on this host. A fact that the host does
/// not tell is left out.
[[nodiscard]] std::vector<MachineFact> machine_facts(const KvmSystem& kvm);

}  // namespace nestling
