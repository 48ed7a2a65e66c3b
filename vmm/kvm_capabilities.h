// Which of KVM's capabilities Nestling uses on this architecture, and what for.
#pragma once

#include <vector>

#include "vmm/doctor_report.h"
#include "vmm/kvm_system.h"

namespace nestling {

/// All that are used, with what this host answers. One definition for each architecture.
[[nodiscard]] std::vector<CapabilityFact> kvm_capabilities(const KvmSystem& kvm);

}  // namespace nestling
