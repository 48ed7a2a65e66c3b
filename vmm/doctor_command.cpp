// Asking the host, and printing the answer.
#include "vmm/doctor_command.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <span>

#include "base/file_descriptor.h"
#include "base/log.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_capabilities.h"
#include "vmm/kvm_system.h"
#include "vmm/trial_run.h"
#include "vmm/verdict.h"

namespace nestling {

namespace {

UserfaultfdPermission userfaultfd_permission() {
  const UniqueFd any(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC)));
  if (any) {
    return UserfaultfdPermission::kAllowed;
  }
  if (errno == ENOSYS) {
    return UserfaultfdPermission::kAbsent;
  }
  const UniqueFd user(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY)));
  return user ? UserfaultfdPermission::kUserModeOnly : UserfaultfdPermission::kDenied;
}

std::string kernel_release() {
  utsname system{};
  return uname(&system) == 0 ? &system.release[0] : "";
}

/// What only a usable KVM can tell.
void examine_kvm(DoctorReport& report) {
  const Result<KvmSystem> kvm = KvmSystem::open(report.device);
  if (!kvm) {
    report.trial_problem = kvm.error().message;
    return;
  }
  report.capabilities = kvm_capabilities(*kvm);
  report.machine = machine_facts(*kvm);
  report.slot_limit = kvm->extension(KVM_CAP_NR_MEMSLOTS);
  const Result<TrialRun> trial = run_trial(*kvm);
  if (trial) {
    report.trial = *trial;
  } else {
    report.trial_problem = trial.error().message;
  }
}

Colour colour_for(int fd) {
  return isatty(fd) != 0 && std::getenv("NO_COLOR") == nullptr ? Colour::kYes : Colour::kNo;
}

}  // namespace

DoctorReport examine_host(const DoctorOptions& options) {
  DoctorReport report;
  report.kernel = kernel_release();
  report.host = read_host_facts("");
  report.device = options.device;
  report.device_problem = kvm_device_problem(options.device, report.host, "");
  report.userfaultfd = userfaultfd_permission();
  if (!report.device_problem) {
    examine_kvm(report);
  }
  return report;
}

int doctor(const DoctorOptions& options) {
  const DoctorReport report = examine_host(options);
  const std::string text = options.format == DoctorFormat::kJson
                               ? to_json(report)
                               : to_text(report, colour_for(STDOUT_FILENO));
  if (const auto done = write_all(STDOUT_FILENO, std::as_bytes(std::span(text))); !done) {
    Log(Verbosity::kNormal).warn("standard output: {}", done.error().message);
    return exit_code(done.error().kind);
  }
  return can_run(report) ? 0 : exit_code(ErrorKind::kNoKvm);
}

}  // namespace nestling
