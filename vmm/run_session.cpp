// Wiring: who writes to the console, who reads the keyboard, who stops the machine, and when.
#include "vmm/run_session.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace nestling {

namespace {

/// How often the control loop looks around: soon enough that a prompt without a newline appears
/// when it is written, as a person sees it.
constexpr std::chrono::milliseconds kTick{25};
/// Ticks from one look for a hang to the next.
constexpr std::uint64_t kTicksPerHangCheck = 4;

/// True when `fd` can never give a byte: closed, or the null device.
bool is_null_input(int fd) {
  constexpr unsigned kMemoryDevices = 1;
  constexpr unsigned kNull = 3;
  struct stat status {};
  if (fstat(fd, &status) != 0) {
    return true;
  }
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(kMemoryDevices, kNull);
}

/// CPUs start each other through the controllers, so several need them whatever the image says.
Irqchip irqchip_for(const RunOptions& options, const ImageNeeds& needs) {
  if (options.irqchip == IrqchipChoice::kAsImageNeeds) {
    return needs.irqchip || options.vcpu_count > 1 ? Irqchip::kInKernel : Irqchip::kAbsent;
  }
  return options.irqchip == IrqchipChoice::kOn ? Irqchip::kInKernel : Irqchip::kAbsent;
}

void say(std::string_view text) {
  // A closed stderr leaves nobody to tell.
  (void)write_all(STDERR_FILENO, std::as_bytes(std::span(text))).has_value();
}

}  // namespace

Result<void> RunSession::open_console() {
  using Buffering = ConsoleOutput::Buffering;
  switch (options_.console.kind) {
    case ConsoleTarget::Kind::kStdio:
      console_ = std::make_unique<ConsoleOutput>(
          STDOUT_FILENO, "standard output",
          isatty(STDOUT_FILENO) != 0 ? Buffering::kLines : Buffering::kBlocks);
      return {};
    case ConsoleTarget::Kind::kNone:
      console_file_ = UniqueFd(open("/dev/null", O_WRONLY | O_CLOEXEC));
      break;
    case ConsoleTarget::Kind::kFile:
      console_file_ = UniqueFd(
          open(options_.console.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
      break;
  }
  if (!console_file_) {
    return failure(
        host_error(fmt::format("cannot open {} for the console", options_.console.path), errno));
  }
  console_ = std::make_unique<ConsoleOutput>(console_file_.get(), options_.console.path,
                                             Buffering::kBlocks);
  return {};
}

Result<void> RunSession::open_trace() {
  if (options_.trace_path) {
    auto trace = ExitTrace::create(*options_.trace_path, options_.image.path);
    if (!trace) {
      return failure(trace.error());
    }
    trace_ = std::move(*trace);
  }
  return {};
}

Result<void> RunSession::open_audit(const Image& image,
                                    std::chrono::steady_clock::time_point start) {
  if (!options_.audit_path) {
    return {};
  }
  symbols_ = std::make_unique<LazySymbols>(image, log_);
  std::vector<WatchRange> ranges;
  for (const WatchRequest& request : options_.watches) {
    auto range = locate(request, image, request.symbol.empty() ? SymbolTable() : symbols_->table());
    if (!range) {
      return failure(range.error());
    }
    ranges.push_back(*std::move(range));
  }
  watches_ = WatchList(std::move(ranges));
  auto audit = AuditTrail::create(
      {.path = *options_.audit_path,
       .limit = options_.audit_limit,
       .start = start,
       .symbol_at = [this](GuestVirtAddr address) { return symbols_->table().describe(address); }});
  if (!audit) {
    return failure(audit.error());
  }
  audit_ = *std::move(audit);
  return {};
}

std::optional<AuditCounts> RunSession::audit_counts() const {
  return audit_ == nullptr ? std::nullopt : std::optional(audit_->counts());
}

int RunSession::input_descriptor() const {
  if (options_.console.kind != ConsoleTarget::Kind::kStdio || is_null_input(STDIN_FILENO)) {
    return -1;
  }
  // A terminal that another job holds would stop this one for reading it.
  if (isatty(STDIN_FILENO) != 0 && tcgetpgrp(STDIN_FILENO) != getpgrp()) {
    return -1;
  }
  return STDIN_FILENO;
}

Result<Verdict> RunSession::run(const KvmSystem& kvm, const Image& image,
                                std::chrono::steady_clock::time_point start, RunTimes& times) {
  if (auto done = open_console(); !done) {
    return failure(done.error());
  }
  if (auto done = open_trace(); !done) {
    return failure(done.error());
  }
  if (auto done = open_audit(image, start); !done) {
    return failure(done.error());
  }
  const MachineConfig config{.memory = options_.memory,
                             .vcpu_count = options_.vcpu_count,
                             .irqchip = irqchip_for(options_, image.needs),
                             .unclaimed = options_.unclaimed,
                             .exit_code_style = options_.exit_code_style,
                             .command_line = options_.command_line,
                             .test_device = options_.test_device};
  auto machine = Machine::create(kvm, image, config,
                                 {.console = *console_,
                                  .console_room = *this,
                                  .trace = trace_.get(),
                                  .audit = audit_.get(),
                                  .watches = &watches_,
                                  .log = log_});
  if (!machine) {
    return failure(machine.error());
  }
  machine_ = std::move(*machine);
  times.vm_ready = std::chrono::steady_clock::now() - start;

  const StopSignalsHeld held;
  const RawTerminal terminal(STDIN_FILENO, InterruptKey::kSignal);
  const int input = input_descriptor();
  keys_active_ = terminal.is_terminal();
  if (input < 0) {
    machine_->platform().input_ended();
  }
  ControlLoop::Config control{.input_fd = input, .deadline = std::nullopt, .period = kTick};
  if (options_.timeout) {
    control.deadline = std::chrono::steady_clock::now() + *options_.timeout;
  }
  auto loop = ControlLoop::start(control, *this);
  if (!loop) {
    return failure(loop.error());
  }
  control_ = std::move(*loop);
  times.first_guest_instruction = std::chrono::steady_clock::now() - start;
  Verdict verdict = machine_->run(start);
  control_->request_stop();  // it ends while the outputs are finished
  finish_outputs(verdict);
  times.end = std::chrono::steady_clock::now() - start;
  return verdict;
}

void RunSession::finish_outputs(Verdict& verdict) {
  console_->flush();
  if (console_->failed()) {
    verdict = with_lost_output(std::move(verdict), *console_->error());
  }
  if (trace_ != nullptr) {
    if (const auto done = trace_->finish(); !done) {
      verdict = with_lost_output(std::move(verdict), done.error());
    }
  }
  if (audit_ != nullptr) {
    if (const auto done = audit_->finish(); !done) {
      verdict = with_lost_output(std::move(verdict), done.error());
    }
  }
}

std::string RunSession::last_console_line() const {
  if (console_ == nullptr) {
    return {};
  }
  const std::vector<std::string> lines = console_->last_lines();
  return lines.empty() ? std::string() : lines.back();
}

void RunSession::on_stop_signal(int signal) {
  console_->abandon();  // a vCPU that waits for a stuck reader must come back
  machine_->stop({.kind = VerdictKind::kInterrupted,
                  .reason = fmt::format("interrupted by SIG{}", sigabbrev_np(signal))});
}

void RunSession::on_deadline() {
  console_->abandon();
  machine_->stop(
      {.kind = VerdictKind::kTimeout,
       .reason = fmt::format("timeout: not done within {} ms", options_.timeout->count())});
}

void RunSession::on_tick() {
  console_->flush_without_waiting();
  if (console_->failed()) {
    machine_->stop({.kind = VerdictKind::kHostRefused, .reason = console_->error()->message});
  }
  if (!for_guest_.empty()) {
    send_typed();
  }
  machine_->memory().look_at_host();
  if (++ticks_ % kTicksPerHangCheck == 0) {
    machine_->look_for_hang();
  }
}

std::size_t RunSession::on_input(std::span<const std::byte> bytes) {
  if (!keys_active_) {
    return machine_->platform().receive(bytes);
  }
  // Typed keys are taken whole, so that Ctrl-A x works while the guest reads nothing.
  ConsoleKeys::Outcome outcome = keys_.feed(bytes);
  switch (outcome.request) {
    case ConsoleKeys::Outcome::Request::kNone:
      break;
    case ConsoleKeys::Outcome::Request::kHint:
      say(ConsoleKeys::hint());
      break;
    case ConsoleKeys::Outcome::Request::kHelp:
      say(ConsoleKeys::help());
      break;
    case ConsoleKeys::Outcome::Request::kQuit:
      machine_->stop({.kind = VerdictKind::kInterrupted, .reason = "quit by Ctrl-A x"});
      break;
  }
  for_guest_.insert(for_guest_.end(), outcome.for_guest.begin(), outcome.for_guest.end());
  send_typed();
  constexpr std::size_t kMostTypedAhead = std::size_t{64} * 1024;
  if (for_guest_.size() > kMostTypedAhead) {
    for_guest_.resize(kMostTypedAhead);  // as a terminal's own queue does
  }
  return bytes.size();
}

void RunSession::send_typed() {
  const std::size_t taken = machine_->platform().receive(for_guest_);
  for_guest_.erase(for_guest_.begin(), for_guest_.begin() + static_cast<std::ptrdiff_t>(taken));
}

void RunSession::on_input_end() { machine_->platform().input_ended(); }

void RunSession::has_room() {
  if (control_ != nullptr) {
    control_->wake_input();
  }
}

}  // namespace nestling
