// The layout of the JSON report; docs and users depend on its names, so they only ever grow.
#include "vmm/run_report.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "vmm/output_file.h"

namespace nestling {

namespace {

using Json = nlohmann::ordered_json;

/// Of the layout: grows when a name changes its meaning.
constexpr int kReportVersion = 1;

std::string_view name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kBadImage:
      return "bad-image";
    case ErrorKind::kNoInput:
      return "no-input";
    case ErrorKind::kNoKvm:
      return "no-kvm";
    case ErrorKind::kBug:
      return "bug";
    case ErrorKind::kHostRefused:
      return "host-refused";
  }
  return "unknown";
}

/// "2026-11-23T06:40:00.123456789Z"
std::string iso_8601(std::chrono::nanoseconds since_epoch) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const std::time_t time = seconds.count();
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     (since_epoch - seconds).count());
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json nanoseconds(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? Json(time->count()) : Json();
}

Json times(const RunTimes& times) {
  const auto start =
      std::chrono::duration_cast<std::chrono::nanoseconds>(times.start.time_since_epoch());
  Json json;
  json["start"] = iso_8601(start);
  json["start_unix_ns"] = start.count();
  json["vm_ready_ns"] = nanoseconds(times.vm_ready);
  json["first_guest_instruction_ns"] = nanoseconds(times.first_guest_instruction);
  json["end_ns"] = nanoseconds(times.end);
  return json;
}

Json exits(const ExitCounts& counts) {
  std::uint64_t total = 0;
  Json by_kind = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts.at(i);
    by_kind[std::string(exit_kind_name(i))] = counts.at(i);
  }
  Json json;
  json["total"] = total;
  json["by_kind"] = by_kind;
  return json;
}

/// "already_present": a name as a key.
std::string key(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), ' ', '_');
  return text;
}

Json faults(const MemoryReport& report) {
  Json by_outcome = Json::object();
  std::uint64_t total = 0;
  for (const FaultOutcome outcome : kFaultOutcomes) {
    by_outcome[key(name_of(outcome))] = report.space.faults_of(outcome);
    total += report.space.faults_of(outcome);
  }
  const MemoryExits::Statistics& exits = report.live.exits;
  Json json;
  json["total"] = total;
  json["by_outcome"] = by_outcome;
  json["exits"] = {{"populated", exits.populated},       {"completed", exits.completed},
                   {"fetches", exits.fetches},           {"memory_faults", exits.faults},
                   {"denied_reads", exits.denied_reads}, {"denied_writes", exits.denied_writes}};
  json["pager"] = nullptr;
  if (const auto& pager = report.live.pager) {
    json["pager"] = {{"faults", pager->faults},
                     {"populated", pager->populated},
                     {"present", pager->present},
                     {"refused", pager->refused},
                     {"strays", pager->strays}};
  }
  return json;
}

Json memory(const std::optional<MemoryReport>& report) {
  if (!report) {
    return {};
  }
  const SpaceStatistics& space = report->space;
  const SlotMirror::Statistics& slots = report->live.slots;
  Json json;
  json["path"] = name_of(report->live.path);
  json["path_reason"] = report->live.reason;
  json["granule_bytes"] = report->live.granule;
  json["limit_bytes"] = or_null(report->live.limit);
  json["host_page_bytes"] = report->host_page_size;
  json["areas"] = space.areas;
  json["mapped_bytes"] = space.mapped;
  json["resident_bytes"] = {{"total", space.resident.total()},
                            {"4K", space.resident[PageSize::k4KiB]},
                            {"2M", space.resident[PageSize::k2MiB]},
                            {"1G", space.resident[PageSize::k1GiB]}};
  json["table_bytes"] = space.table_bytes;
  json["slots"] = {{"in_use", slots.slots},
                   {"peak", slots.slots_peak},
                   {"limit", slots.slot_limit},
                   {"added", slots.added},
                   {"removed", slots.removed}};
  json["faults"] = faults(*report);
  json["violations"] = space.violations;
  return json;
}

Json audit(const std::optional<AuditCounts>& counts) {
  if (!counts) {
    return {};
  }
  return {{"recorded", counts->recorded}, {"left_out", counts->left_out}, {"lost", counts->lost}};
}

Json host() {
  Json json;
  utsname system{};
  if (uname(&system) == 0) {
    json["system"] = &system.sysname[0];
    json["kernel"] = &system.release[0];
    json["machine"] = &system.machine[0];
  }
  json["cpus_online"] = sysconf(_SC_NPROCESSORS_ONLN);
  return json;
}

/// The most memory this process held at once, in bytes, guest RAM included.
std::uint64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace

RunOutcome outcome_of(const Verdict& verdict) {
  RunOutcome outcome{.name = std::string(name(verdict.kind)),
                     .reason = verdict.reason,
                     .exit_code = exit_code(verdict),
                     .guest_status = std::nullopt};
  if (verdict.kind == VerdictKind::kGuestExit) {
    outcome.guest_status = verdict.guest_status;
  }
  return outcome;
}

RunOutcome outcome_of(const Error& error) {
  return {.name = std::string(name(error.kind)),
          .reason = error.message,
          .exit_code = exit_code(error.kind),
          .guest_status = std::nullopt};
}

std::string to_json(const RunReport& report) {
  Json json;
  json["report_version"] = kReportVersion;
  json["verdict"] = report.outcome.name;
  json["reason"] = report.outcome.reason;
  json["exit_code"] = report.outcome.exit_code;
  json["guest_status"] = or_null(report.outcome.guest_status);
  json["times"] = times(report.times);
  json["exits"] = exits(report.exits);
  json["unclaimed_accesses"] = report.unclaimed_accesses;
  json["kernel"] = {{"path", report.kernel_path}, {"command_line", report.command_line}};
  json["machine"] = {{"memory_bytes", report.memory_bytes}, {"vcpus", report.vcpu_count}};
  json["memory"] = memory(report.memory);
  json["audit"] = audit(report.audit);
  json["last_console_line"] = report.last_console_line;
  json["crash_report"] = report.crash_report.empty() ? Json() : Json(report.crash_report);
  json["nestling"] = {{"version", report.nestling_version},
                      {"arguments", report.arguments},
                      {"peak_resident_bytes", peak_resident_bytes()}};
  json["kvm"] = {{"api_version", or_null(report.kvm_api_version)}};
  json["host"] = host();
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<void> write_run_report(const std::string& path, const RunReport& report) {
  return write_output_file(path, to_json(report));
}

}  // namespace nestling
