// The vCPU loop, and the handshake that stops it: a flag KVM looks at, then a signal.
#include "vmm/vcpu_runner.h"

#include <signal.h>

#include <utility>

#include "vmm/architecture.h"
#include "vmm/halt_check.h"
#include "vmm/stopped_access.h"

namespace nestling {

namespace {

int kick_signal() { return SIGRTMIN; }

}  // namespace

void install_kick_signal() {
  struct sigaction action {};
  action.sa_handler = [](int /*signal*/) {};
  sigemptyset(&action.sa_mask);
  check(sigaction(kick_signal(), &action, nullptr) == 0, "cannot install the kick signal");
}

void VcpuRunner::kick() {
  // Before the signal: a vCPU that is about to enter the guest sees the flag, one that is inside
  // gets the signal.
  vcpu_.set_immediate_exit(Vcpu::ImmediateExit::kOn);
  const std::lock_guard lock(thread_mutex_);
  if (thread_) {
    pthread_kill(*thread_, kick_signal());
  }
}

bool VcpuRunner::runs_on_this_thread() {
  const std::lock_guard lock(thread_mutex_);
  return thread_ && pthread_equal(*thread_, pthread_self()) != 0;
}

std::optional<std::uint64_t> VcpuRunner::stuck_since() const {
  const std::uint64_t since = stuck_since_;
  if (since == 0 || answered_round_ != asked_round_) {
    return std::nullopt;
  }
  return since;
}

void VcpuRunner::answer_requests() {
  // Off first: a kick that comes after this line interrupts the next run.
  vcpu_.set_immediate_exit(Vcpu::ImmediateExit::kOff);
  // Again when the next round was asked meanwhile: all looks of one round come before all of the
  // next, so that there is a moment between them for which every answer holds.
  for (std::uint64_t round = asked_round_; round != answered_round_; round = asked_round_) {
    look_whether_stuck(round);
    if (round == asked_round_) {
      answered_round_ = round;
    }
  }
}

bool VcpuRunner::has_slept_on(std::optional<std::uint64_t> halts) const {
  return halts && halts_ ? *halts - *halts_ <= halts_per_kick() : halts == halts_;
}

void VcpuRunner::look_whether_stuck(std::uint64_t round) {
  if (!is_halted_without_timer(vcpu_, memory_)) {
    stuck_since_ = 0;
    return;
  }
  // Another vCPU may have woken this one since the last look.
  const std::optional<std::uint64_t> halts = halt_counter_.count(vcpu_);
  if (stuck_since_ == 0 || !has_slept_on(halts)) {
    stuck_since_ = round;
  }
  halts_ = halts;
  counts_halts_ = halts.has_value();
}

Result<void> VcpuRunner::take_back(Direction direction) {
  auto done = take_back_access(vcpu_, direction);
  answer_requests();  // a kick may have come while immediate exit was on
  return done;
}

std::optional<StoppedAccess::Parts> VcpuRunner::parts(const MmioExit& exit) {
  return parts_of_access(vcpu_, memory_, exit);
}

std::optional<StoppedAccess::Whole> VcpuRunner::whole() { return whole_access(vcpu_, memory_); }

Result<void> VcpuRunner::complete(const Whole& whole) {
  return complete_access(vcpu_, memory_, whole);
}

bool VcpuRunner::step(std::chrono::steady_clock::time_point start) {
  using std::chrono::steady_clock;
  ExitTiming timing;
  if (trace_ != nullptr) {
    timing.guest_start = steady_clock::now() - start;
  }
  gate_.enter(*this);
  Result<Exit> exit = vcpu_.run();
  gate_.leave(*this);
  if (trace_ != nullptr) {
    timing.exit = steady_clock::now() - start;
  }
  if (!exit) {
    verdicts_.propose(ExitHandler::on_run_failure(exit.error()));
    return false;
  }
  ++exit_counts_.at(exit->index());
  if (std::holds_alternative<InterruptedExit>(*exit)) {
    answer_requests();
    return !verdicts_.is_decided();
  }
  auto* const error = std::get_if<InternalErrorExit>(&*exit);
  if (error != nullptr && error->suberror == InternalErrorExit::kEmulation) {
    error->instruction = instruction_at(vcpu_, memory_);
  }
  auto* const access = std::get_if<MmioExit>(&*exit);
  if (access != nullptr && accesses_told() == AccessesTold::kByPage) {
    access->access = this;
  }
  if (auto* const undecoded = std::get_if<UndecodedAccessExit>(&*exit)) {
    undecoded->access = this;
  }
  if (std::optional<Verdict> verdict = handler_.handle(VcpuId(vcpu_.id()), *exit)) {
    verdicts_.propose(std::move(*verdict));
  }
  const ExitRecord record = summarize(*exit);
  recent_exits_.record(record);
  if (trace_ != nullptr) {
    timing.handled = steady_clock::now() - start;
    trace_->record(vcpu_.id(), timing, record);
  }
  return !verdicts_.is_decided();
}

void VcpuRunner::run(std::chrono::steady_clock::time_point start) {
  {
    const std::lock_guard lock(thread_mutex_);
    thread_ = pthread_self();
  }
  while (step(start)) {
  }
  decided_the_run_ = verdicts_.was_decided_by_this_thread();
  const std::lock_guard lock(thread_mutex_);
  thread_.reset();
}

}  // namespace nestling
