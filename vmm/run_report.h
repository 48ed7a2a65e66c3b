// RunReport: everything a run leaves behind for other programs, as JSON (`--json`).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "vmm/audit/audit_trail.h"
#include "vmm/exit.h"
#include "vmm/memory_report.h"
#include "vmm/verdict.h"

namespace nestling {

/// When what was reached. The others count from `start`; absent where the run did not get there.
struct RunTimes {
  std::chrono::system_clock::time_point start;
  std::optional<std::chrono::nanoseconds> vm_ready;
  std::optional<std::chrono::nanoseconds> first_guest_instruction;
  std::optional<std::chrono::nanoseconds> end;
};

/// How it ended, for a run and for one that never started.
struct RunOutcome {
  /// The verdict's or the error's word: "exit", "triple-fault", "bad-image" …
  std::string name;
  std::string reason;
  /// Of this process.
  int exit_code = 0;
  /// What the guest wrote, exact; absent where it did not exit by itself.
  std::optional<std::uint64_t> guest_status;
};

[[nodiscard]] RunOutcome outcome_of(const Verdict& verdict);
/// The outcome of a run that could not start because of `error`.
[[nodiscard]] RunOutcome outcome_of(const Error& error);

/// What the report is made of. Text may hold any bytes; what is not UTF-8 is replaced by U+FFFD.
struct RunReport {
  RunOutcome outcome;
  RunTimes times;
  ExitCounts exits{};
  /// Accesses to ports and addresses that no device answers.
  std::uint64_t unclaimed_accesses = 0;
  std::string kernel_path;
  /// Handed to the guest.
  std::string command_line;
  /// Of guest RAM.
  std::uint64_t memory_bytes = 0;
  std::uint32_t vcpu_count = 1;
  /// Absent where the machine was not made.
  std::optional<MemoryReport> memory;
  /// Absent without an audit.
  std::optional<AuditCounts> audit;
  /// The process's own, without its name.
  std::vector<std::string> arguments;
  std::string nestling_version;
  /// Absent where KVM was not reached.
  std::optional<int> kvm_api_version;
  std::string last_console_line;
  /// Text for a person; empty unless the guest crashed.
  std::string crash_report;
};

/// The report as indented JSON with a final newline. Adds what the host says of itself: kernel,
/// machine, CPUs, and the most memory this process held.
[[nodiscard]] std::string to_json(const RunReport& report);

/// Writes the JSON to `path` as write_output_file() does, with its errors.
[[nodiscard]] Result<void> write_run_report(const std::string& path, const RunReport& report);

}  // namespace nestling
