// From options to exit code, with the verdict line, the crash report and the JSON report on the
// way.
#include "vmm/run_command.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <numeric>
#include <string>
#include <utility>

#include "addrspace/space_map.h"
#include "boot/elf_symbols.h"
#include "boot/open_image.h"
#include "vmm/architecture.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"
#include "vmm/output_file.h"
#include "vmm/run_report.h"
#include "vmm/run_session.h"
#include "vmm/version.h"

namespace nestling {

namespace {

using std::chrono::steady_clock;

/// One call of run().
class RunCommand {
 public:
  explicit RunCommand(const RunOptions& options) : options_(options), log_(options.verbosity) {
    report_.times.start = std::chrono::system_clock::now();
    report_.kernel_path = options.image.path;
    report_.command_line = options.command_line;
    report_.memory_bytes = options.memory.size;
    report_.vcpu_count = options.vcpu_count;
    report_.arguments = options.arguments;
    report_.nestling_version = kVersion;
  }

  int execute();

 private:
  [[nodiscard]] Result<Verdict> run_image(const Image& image);
  [[nodiscard]] int finish(Verdict verdict);
  [[nodiscard]] int finish(const Error& error);
  void complete_report(RunSession& session, const Image& image, Verdict& verdict);
  void draw_map(GuestRam& ram, Verdict& verdict);
  void count_memory(Machine& machine);
  [[nodiscard]] std::string summary(const Verdict& verdict) const;

  const RunOptions& options_;
  const Log log_;
  const steady_clock::time_point start_ = steady_clock::now();
  RunReport report_;
  std::string text_map_;
};

/// For text of several lines that must not be cut by other output.
void show(std::string_view text) {
  // A closed stderr leaves nobody to tell.
  (void)write_all(STDERR_FILENO, std::as_bytes(std::span(text))).has_value();
}

/// True for ends that are explained by where the guest was.
bool has_place(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kTripleFault:
    case VerdictKind::kReset:
    case VerdictKind::kGuestPanic:
    case VerdictKind::kHang:
    case VerdictKind::kUnhandledExit:
    case VerdictKind::kTimeout:
    case VerdictKind::kInterrupted:
      return true;
    case VerdictKind::kGuestExit:
    case VerdictKind::kHostRefused:
      return false;
  }
  return false;
}

/// True for ends that call for the full report.
bool is_crash(VerdictKind kind) {
  return kind == VerdictKind::kTripleFault || kind == VerdictKind::kUnhandledExit ||
         kind == VerdictKind::kGuestPanic;
}

void RunCommand::draw_map(GuestRam& ram, Verdict& verdict) {
  if (options_.map.kind == MapTarget::Kind::kNone) {
    return;
  }
  auto drawn = ram.learn_residency();
  if (drawn && options_.map.kind == MapTarget::Kind::kText) {
    text_map_ = text_map(ram.space());
  } else if (drawn) {
    drawn = write_output_file(options_.map.path, svg_map(ram.space()));
  }
  if (!drawn) {
    verdict = with_lost_output(std::move(verdict), drawn.error());
  }
}

/// Costs system calls, so only for who wants to know.
void RunCommand::count_memory(Machine& machine) {
  if (!options_.report_path && log_.verbosity() != Verbosity::kVerbose) {
    return;
  }
  auto counted = report_on(machine.memory(), machine.ram());
  if (counted) {
    report_.memory = *std::move(counted);
  } else {
    log_.warn("{}", counted.error().message);
  }
}

void RunCommand::complete_report(RunSession& session, const Image& image, Verdict& verdict) {
  Machine& machine = session.machine();
  report_.exits = machine.exit_counts();
  report_.unclaimed_accesses = machine.unclaimed_count();
  report_.last_console_line = session.last_console_line();
  report_.audit = session.audit_counts();
  draw_map(machine.ram(), verdict);
  count_memory(machine);
  if (!has_place(verdict.kind)) {
    return;
  }
  const auto symbols = read_symbols(image);
  if (!symbols) {
    log_.warn("{}", symbols.error().message);
  }
  const SymbolTable none;
  VcpuRunner& runner = machine.deciding_runner();
  const std::vector<ExitRecord> last_exits = runner.recent_exits().list();
  const auto postmortem = examine({.vcpu = runner.vcpu(),
                                   .memory = machine.ram().memory(),
                                   .symbols = symbols ? *symbols : none,
                                   .last_exits = last_exits,
                                   .exit_count = runner.recent_exits().total(),
                                   .last_console_line = report_.last_console_line});
  if (!postmortem) {
    log_.warn("{}", postmortem.error().message);
    return;
  }
  if (verdict.kind == VerdictKind::kTripleFault) {
    verdict.reason = postmortem->shutdown_reason;
    if (postmortem->may_lack_slot) {
      verdict.reason += machine.memory().shutdown_hint();
    }
  } else if (verdict.kind == VerdictKind::kHang && !postmortem->hang_reason.empty()) {
    verdict.reason = postmortem->hang_reason;
  } else {
    verdict.reason += fmt::format(" at {}", postmortem->location);
  }
  if (options_.vcpu_count > 1) {
    verdict.reason += fmt::format(" on vCPU {}", runner.vcpu().id());
  }
  if (is_crash(verdict.kind) || !postmortem->hang_reason.empty()) {
    verdict.reason += session.watches().obstacle_on(postmortem->instruction_path);
    report_.crash_report = postmortem->report;
  }
}

Result<Verdict> RunCommand::run_image(const Image& image) {
  const auto kvm = KvmSystem::open(options_.kvm_device);
  if (!kvm) {
    return failure(kvm.error());
  }
  report_.kvm_api_version = KVM_API_VERSION;
  RunSession session(options_, log_);
  auto verdict = session.run(*kvm, image, start_, report_.times);
  if (verdict) {
    complete_report(session, image, *verdict);
  }
  return verdict;
}

std::string RunCommand::summary(const Verdict& verdict) const {
  const auto exits = std::accumulate(report_.exits.begin(), report_.exits.end(), std::uint64_t{0});
  const std::chrono::duration<double, std::milli> elapsed = steady_clock::now() - start_;
  std::string line =
      fmt::format("{} after {:.1f} ms, {} exits", verdict.reason, elapsed.count(), exits);
  if (report_.unclaimed_accesses != 0) {
    line += fmt::format(", {} unclaimed accesses", report_.unclaimed_accesses);
  }
  if (report_.memory && log_.verbosity() == Verbosity::kVerbose) {
    line += "; memory: " + in_words(*report_.memory);
  }
  return line;
}

int RunCommand::finish(Verdict verdict) {
  report_.outcome = outcome_of(verdict);
  if (options_.report_path) {
    if (const auto done = write_run_report(*options_.report_path, report_); !done) {
      verdict = with_lost_output(std::move(verdict), done.error());
    }
  }
  show(text_map_);
  // A guest that reports its own panic has usually said why.
  if (verdict.kind != VerdictKind::kGuestPanic || log_.verbosity() == Verbosity::kVerbose) {
    show(report_.crash_report);
  }
  log_.warn("{}", summary(verdict));
  return exit_code(verdict);
}

int RunCommand::finish(const Error& error) {
  report_.outcome = outcome_of(error);
  log_.warn("{}", error.message);
  if (options_.report_path) {
    if (const auto done = write_run_report(*options_.report_path, report_); !done) {
      log_.warn("{}", done.error().message);
    }
  }
  return exit_code(error.kind);
}

int RunCommand::execute() {
  signal(SIGPIPE, SIG_IGN);  // a closed console is an error to report, not a death
  const auto image = open_image(options_.image);
  if (!image) {
    return finish(image.error());
  }
  auto verdict = run_image(*image);
  if (!verdict) {
    return finish(verdict.error());
  }
  return finish(std::move(*verdict));
}

}  // namespace

int run(const RunOptions& options) { return RunCommand(options).execute(); }

}  // namespace nestling
