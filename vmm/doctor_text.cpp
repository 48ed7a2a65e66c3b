// The doctor's words.
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "vmm/doctor_report.h"

namespace nestling {

namespace {

/// One subject's line.
struct Finding {
  enum class Status : std::uint8_t { kGood, kNote, kBad };
  Status status = Status::kGood;
  std::string subject;
  std::string text;
  std::string remedy;
};

using Status = Finding::Status;

bool is_missing(const CapabilityFact& fact) {
  return fact.value == 0 && fact.need == CapabilityFact::Need::kRequired;
}

std::string size_text(std::uint64_t bytes) {
  constexpr double kMiB = 1024.0 * 1024.0;
  const double mib = static_cast<double>(bytes) / kMiB;
  return mib >= 1024 ? fmt::format("{:.1f} GiB", mib / 1024) : fmt::format("{:.0f} MiB", mib);
}

std::string time_text(std::chrono::nanoseconds time) {
  const auto us = static_cast<double>(time.count()) / 1000;
  return us >= 1000 ? fmt::format("{:.1f} ms", us / 1000) : fmt::format("{:.2f} µs", us);
}

Finding device_finding(const DoctorReport& report) {
  if (report.device_problem) {
    return {Status::kBad, "device", report.device_problem->what, report.device_problem->remedy};
  }
  return {Status::kGood,
          "device",
          fmt::format("{} opens, KVM API version {}", report.device, kKvmApiVersion),
          {}};
}

Finding virtualization_finding(const HostFacts& host) {
  const std::string_view machine =
      host.is_virtual_machine ? "nested: this machine is a virtual one, and " : "";
  if (host.hardware_virtualization == HardwareVirtualization::kEl2) {
    return {Status::kGood, "kind", "the kernel's own KVM uses the hardware (EL2)", {}};
  }
  if (host.kvm_modules.empty()) {
    return {Status::kNote, "kind", fmt::format("{}no module of KVM is to be seen", machine), {}};
  }
  const KvmModule& module = host.kvm_modules.front();
  if (module.name == "kvm_pvm") {
    return {Status::kNote,
            "kind",
            fmt::format("{}kvm_pvm does without hardware support: a guest's ring 3 runs natively, "
                        "its ring 0 is emulated and slow",
                        machine),
            {}};
  }
  if (module.nested_paging == false) {
    return {
        Status::kNote, "kind",
        fmt::format("{}{} uses the hardware, but without nested paging", machine, module.name),
        fmt::format("load {} with {}=1", module.name, module.name == "kvm_intel" ? "ept" : "npt")};
  }
  return {Status::kGood,
          "kind",
          fmt::format("{}{} uses the hardware{}", machine, module.name,
                      module.nested_paging == true ? ", with nested paging" : ""),
          {}};
}

Finding trial_finding(const DoctorReport& report) {
  if (!report.trial) {
    return report.trial_problem.empty()
               ? Finding{Status::kNote, "trial run", "not made", {}}
               : Finding{Status::kBad, "trial run", report.trial_problem, {}};
  }
  const TrialRun& trial = *report.trial;
  std::string text =
      fmt::format("a guest was ready after {}; a device write takes {} there and back",
                  time_text(trial.vm_ready), time_text(trial.device_write.median));
  if (trial.halt) {
    text += fmt::format(", a halt {}", time_text(trial.halt->median));
  }
  text += fmt::format(" (median{} of {})", trial.halt ? "s" : "", trial.device_write.count);
  return {Status::kGood, "trial run", text, {}};
}

Finding memory_finding(const HostFacts& host) {
  if (!host.memory) {
    return {Status::kNote, "memory", "the host does not tell", {}};
  }
  std::string text = size_text(*host.memory);
  if (host.available_memory) {
    text += fmt::format(", {} available", size_text(*host.available_memory));
  }
  if (host.memory_limit && *host.memory_limit < *host.memory) {
    text += fmt::format(", of which the control group allows {}", size_text(*host.memory_limit));
  }
  return {Status::kGood, "memory", text, {}};
}

Finding huge_page_finding(const HostFacts& host) {
  if (host.huge_pages.empty()) {
    return {Status::kNote, "huge pages", "not in this kernel: guests run on small pages", {}};
  }
  if (host.huge_pages == "never") {
    return {Status::kNote, "huge pages", "turned off: guests run on small pages",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled"};
  }
  return {Status::kGood,
          "huge pages",
          fmt::format("{}, for shared memory {}", host.huge_pages,
                      host.shared_huge_pages.empty() ? "unknown" : host.shared_huge_pages),
          {}};
}

Finding userfaultfd_finding(UserfaultfdPermission permission) {
  const std::string allow = "to allow it: sudo sysctl vm.unprivileged_userfaultfd=1";
  switch (permission) {
    case UserfaultfdPermission::kAllowed:
      return {Status::kGood, "userfaultfd", "allowed", {}};
    case UserfaultfdPermission::kUserModeOnly:
      return {Status::kNote, "userfaultfd", "not allowed for a guest's faults", allow};
    case UserfaultfdPermission::kDenied:
      return {Status::kNote, "userfaultfd", "not allowed", allow};
    case UserfaultfdPermission::kAbsent:
      break;
  }
  return {Status::kNote, "userfaultfd", "not in this kernel", {}};
}

Finding slot_finding(int slots) {
  return {Status::kGood, "memory slots", fmt::format("{} at most", slots), {}};
}

std::vector<Finding> findings(const DoctorReport& report) {
  std::vector<Finding> list = {
      {Status::kGood,
       "host",
       fmt::format("Linux {} on {}", report.kernel,
                   report.host.processor.empty() ? "an unknown processor" : report.host.processor),
       {}},
      device_finding(report)};
  if (!report.device_problem) {
    list.push_back(virtualization_finding(report.host));
    list.push_back(trial_finding(report));
    for (const MachineFact& fact : report.machine) {
      list.push_back({Status::kGood, fact.subject, fact.text, {}});
    }
    list.push_back(slot_finding(report.slot_limit));
  }
  list.push_back(memory_finding(report.host));
  list.push_back(huge_page_finding(report.host));
  list.push_back(userfaultfd_finding(report.userfaultfd));
  return list;
}

std::string status_text(Status status, Colour colour) {
  struct Look {
    std::string_view word;
    std::string_view colour;
  };
  constexpr std::array<Look, 3> kLooks = {
      {{"ok  ", "\x1b[32m"}, {"note", "\x1b[33m"}, {"BAD ", "\x1b[1;31m"}}};
  const Look& look = kLooks.at(static_cast<std::size_t>(status));
  return colour == Colour::kYes ? fmt::format("{}{}\x1b[0m", look.colour, look.word)
                                : std::string(look.word);
}

std::string capability_text(const CapabilityFact& fact, Colour colour) {
  const Status status = is_missing(fact)  ? Status::kBad
                        : fact.value == 0 ? Status::kNote
                                          : Status::kGood;
  const std::string state = is_missing(fact)  ? "  (absent, and Nestling cannot do without)"
                            : fact.value == 0 ? "  (absent)"
                                              : "";
  return fmt::format("  {}  {:<28}{}{}\n", status_text(status, colour), fact.name, fact.purpose,
                     state);
}

}  // namespace

bool can_run(const DoctorReport& report) {
  for (const CapabilityFact& fact : report.capabilities) {
    if (is_missing(fact)) {
      return false;
    }
  }
  return !report.device_problem && report.trial_problem.empty();
}

std::string to_text(const DoctorReport& report, Colour colour) {
  std::string text;
  for (const Finding& each : findings(report)) {
    text +=
        fmt::format("  {}  {:<14}{}\n", status_text(each.status, colour), each.subject, each.text);
    if (!each.remedy.empty()) {
      text += fmt::format("        {:<14}-> {}\n", "", each.remedy);
    }
  }
  if (!report.capabilities.empty()) {
    text += "\nWhat KVM can do here:\n";
    for (const CapabilityFact& fact : report.capabilities) {
      text += capability_text(fact, colour);
    }
  }
  text += can_run(report) ? "\nNestling can run here.\n" : "\nNestling cannot run here.\n";
  return text;
}

}  // namespace nestling
