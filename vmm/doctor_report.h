// DoctorReport: what `nestling doctor` found out about this host, and its words and JSON.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/host_facts.h"
#include "vmm/kvm_device_check.h"

namespace nestling {

/// Something KVM can do on this host, or cannot.
struct CapabilityFact {
  enum class Need : std::uint8_t { kRequired, kOptional };

  std::string name;     ///< the kernel's: "KVM_CAP_USER_MEMORY"
  std::string purpose;  ///< what Nestling does with it
  Need need = Need::kOptional;
  int value = 0;  ///< what KVM_CHECK_EXTENSION answers: 0 absent, often a number where present
};

/// Something about the machines that this host makes: "interrupts", "GICv3".
struct MachineFact {
  std::string subject;
  std::string text;
};

/// How long one exit takes, there and back, with no work in between.
struct ExitCost {
  std::chrono::nanoseconds median{};
  std::chrono::nanoseconds least{};
  std::uint64_t count = 0;
};

/// A real guest, run for a moment.
struct TrialRun {
  /// From nothing to a vCPU that can enter the guest.
  std::chrono::nanoseconds vm_ready{};
  ExitCost device_write;
  std::optional<ExitCost> halt;  ///< absent where a halt is no exit
};

/// What this user may do with userfaultfd.
enum class UserfaultfdPermission : std::uint8_t {
  kAllowed,
  kUserModeOnly,  ///< not for faults inside the kernel, as those of a guest are
  kDenied,
  kAbsent,  ///< not in this kernel
};

struct DoctorReport {
  std::string kernel;  ///< the host's, as uname tells it
  HostFacts host;
  std::string device = "/dev/kvm";
  std::optional<KvmDeviceProblem> device_problem;
  std::vector<CapabilityFact> capabilities;
  /// What the architecture has to say; empty where that is nothing.
  std::vector<MachineFact> machine;
  /// How many pieces guest memory may be made of.
  int slot_limit = 0;
  /// Absent where it was not tried or failed.
  std::optional<TrialRun> trial;
  /// Why the trial failed; empty where it did not.
  std::string trial_problem;
  UserfaultfdPermission userfaultfd = UserfaultfdPermission::kAbsent;
};

/// True when nothing stands in the way of `nestling run`.
[[nodiscard]] bool can_run(const DoctorReport& report);

enum class Colour : std::uint8_t { kNo, kYes };

/// For a person: one line a subject, the fix beneath what is wrong, and last whether Nestling can
/// run.
[[nodiscard]] std::string to_text(const DoctorReport& report, Colour colour);

/// The same for programs, with a final newline.
[[nodiscard]] std::string to_json(const DoctorReport& report);

}  // namespace nestling
