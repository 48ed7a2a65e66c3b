// The doctor's JSON; programs depend on its names, so they only ever grow.
#include <string>

#include <nlohmann/json.hpp>

#include "vmm/doctor_report.h"

namespace nestling {

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

std::string_view name(UserfaultfdPermission permission) {
  switch (permission) {
    case UserfaultfdPermission::kAllowed:
      return "allowed";
    case UserfaultfdPermission::kUserModeOnly:
      return "user-mode-only";
    case UserfaultfdPermission::kDenied:
      return "denied";
    case UserfaultfdPermission::kAbsent:
      break;
  }
  return "absent";
}

std::string_view name(HardwareVirtualization kind) {
  switch (kind) {
    case HardwareVirtualization::kVmx:
      return "vmx";
    case HardwareVirtualization::kSvm:
      return "svm";
    case HardwareVirtualization::kEl2:
      return "el2";
    case HardwareVirtualization::kNone:
      break;
  }
  return "none";
}

std::string_view name(KvmDeviceProblem::Kind kind) {
  switch (kind) {
    case KvmDeviceProblem::Kind::kMissing:
      return "missing";
    case KvmDeviceProblem::Kind::kNoDriver:
      return "no-driver";
    case KvmDeviceProblem::Kind::kNoPermission:
      return "no-permission";
    case KvmDeviceProblem::Kind::kNotKvm:
      return "not-kvm";
    case KvmDeviceProblem::Kind::kOther:
      break;
  }
  return "other";
}

Json device(const DoctorReport& report) {
  Json json;
  json["path"] = report.device;
  json["usable"] = !report.device_problem.has_value();
  json["api_version"] = report.device_problem ? Json() : Json(kKvmApiVersion);
  if (report.device_problem) {
    json["problem"] = name(report.device_problem->kind);
    json["what"] = report.device_problem->what;
    json["remedy"] = report.device_problem->remedy;
  }
  return json;
}

Json modules(const HostFacts& host) {
  Json json = Json::array();
  for (const KvmModule& module : host.kvm_modules) {
    json.push_back({{"name", module.name},
                    {"nested", or_null(module.nested)},
                    {"nested_paging", or_null(module.nested_paging)}});
  }
  return json;
}

Json host(const DoctorReport& report) {
  const HostFacts& host = report.host;
  Json json;
  json["kernel"] = report.kernel;
  json["processor"] = host.processor;
  json["hardware_virtualization"] = name(host.hardware_virtualization);
  json["virtual_machine"] = host.is_virtual_machine;
  json["container"] = host.container.empty() ? Json() : Json(host.container);
  json["kvm_modules"] = modules(host);
  json["memory_bytes"] = or_null(host.memory);
  json["available_memory_bytes"] = or_null(host.available_memory);
  json["memory_limit_bytes"] = or_null(host.memory_limit);
  json["huge_pages"] = host.huge_pages;
  json["shared_huge_pages"] = host.shared_huge_pages;
  json["userfaultfd"] = name(report.userfaultfd);
  return json;
}

Json capabilities(const DoctorReport& report) {
  Json json = Json::object();
  for (const CapabilityFact& fact : report.capabilities) {
    json[fact.name] = {{"value", fact.value},
                       {"required", fact.need == CapabilityFact::Need::kRequired},
                       {"purpose", fact.purpose}};
  }
  return json;
}

Json machine(const DoctorReport& report) {
  Json json = Json::object();
  for (const MachineFact& fact : report.machine) {
    json[fact.subject] = fact.text;
  }
  return json;
}

Json cost(const ExitCost& cost) {
  return {
      {"median_ns", cost.median.count()}, {"least_ns", cost.least.count()}, {"count", cost.count}};
}

Json trial(const DoctorReport& report) {
  if (!report.trial) {
    return report.trial_problem.empty() ? Json() : Json{{"problem", report.trial_problem}};
  }
  return {{"vm_ready_ns", report.trial->vm_ready.count()},
          {"device_write", cost(report.trial->device_write)},
          {"halt", report.trial->halt ? cost(*report.trial->halt) : Json()}};
}

}  // namespace

std::string to_json(const DoctorReport& report) {
  Json json;
  json["report_version"] = 1;
  json["can_run"] = can_run(report);
  json["device"] = device(report);
  json["host"] = host(report);
  json["capabilities"] = capabilities(report);
  json["machine"] = machine(report);
  json["slot_limit"] = report.slot_limit;
  json["trial"] = trial(report);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace nestling
