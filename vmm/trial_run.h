// A trial: real guests for a few milliseconds, which prove that KVM works and time its exits.
#pragma once

#include "base/result.h"
#include "vmm/doctor_report.h"
#include "vmm/kvm_system.h"

namespace nestling {

/// Runs the two guests of trial_code(). Fails, with what failed, where a machine cannot be made or
/// the guests do something else than they should.
[[nodiscard]] Result<TrialRun> run_trial(const KvmSystem& kvm);

}  // namespace nestling
