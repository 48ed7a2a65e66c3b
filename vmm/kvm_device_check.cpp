// Opening the KVM device and explaining each way in which that fails.
#include "vmm/kvm_device_check.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "base/file_descriptor.h"
#include "vmm/kvm_api.h"

namespace nestling {

namespace {

using Kind = KvmDeviceProblem::Kind;

const char* reason_text(int error_number) {
  const char* text = strerrordesc_np(error_number);
  return text != nullptr ? text : "unknown error";
}

/// How to get a driver behind the device on this kind of host.
std::string driver_remedy(const HostFacts& facts) {
  switch (facts.hardware_virtualization) {
    case HardwareVirtualization::kVmx:
      return "load the driver: sudo modprobe kvm_intel";
    case HardwareVirtualization::kSvm:
      return "load the driver: sudo modprobe kvm_amd";
    case HardwareVirtualization::kEl2:
      return "KVM is part of an arm64 kernel that was started in EL2, and this one was not, or was "
             "built without it: where this is a virtual machine, turn on nested virtualization "
             "where "
             "it was started; else look at the kernel's log: dmesg | grep -i kvm";
    case HardwareVirtualization::kNone:
      break;
  }
  if (facts.is_virtual_machine) {
    return "this is a virtual machine whose processor shows no vmx or svm: turn on nested "
           "virtualization where the machine was started";
  }
  return "the processor shows no vmx or svm: turn on VT-x or SVM in the firmware setup";
}

/// Where the kernel has no KVM device, so that no file would help.
std::string kernel_remedy(const HostFacts& facts) {
  if (facts.kvm_modules.empty()) {
    return driver_remedy(facts);
  }
  return fmt::format(
      "{} is in this kernel, but made no KVM device: the log says why: sudo dmesg | grep -i kvm; "
      "where virtualization is off, turn it on in the firmware, or where this virtual machine was "
      "started",
      facts.kvm_modules.front().name);
}

std::string missing_remedy(const std::string& path, const HostFacts& facts) {
  if (facts.has_kvm_device == false) {
    return kernel_remedy(facts);
  }
  if (!facts.container.empty()) {
    return fmt::format("this is a {} container: start it with --device {}", facts.container, path);
  }
  if (!facts.kvm_modules.empty()) {
    return fmt::format(
        "{} is loaded, only the device file is missing: sudo mknod -m 660 {} c 10 232",
        facts.kvm_modules.front().name, path);
  }
  return driver_remedy(facts);
}

/// "crw-rw----"
std::string mode_text(mode_t mode) {
  std::string text = S_ISCHR(mode) ? "c" : S_ISDIR(mode) ? "d" : "-";
  for (int shift = 6; shift >= 0; shift -= 3) {
    const unsigned bits = (mode >> static_cast<unsigned>(shift)) & 7U;
    text += (bits & 4U) != 0 ? 'r' : '-';
    text += (bits & 2U) != 0 ? 'w' : '-';
    text += (bits & 1U) != 0 ? 'x' : '-';
  }
  return text;
}

KvmDeviceProblem permission_problem(const std::string& path, int error_number,
                                    const HostFacts& facts, const std::string& root) {
  struct stat status {};
  stat(path.c_str(), &status);
  const std::string group_file = root + "/etc/group";
  const std::string user_file = root + "/etc/passwd";
  const std::string user = name_of_id(user_file, geteuid()).value_or(std::to_string(geteuid()));
  const std::string owner =
      name_of_id(user_file, status.st_uid).value_or(std::to_string(status.st_uid));
  const std::optional<std::string> group = name_of_id(group_file, status.st_gid);
  KvmDeviceProblem problem{
      .kind = Kind::kNoPermission,
      .what = fmt::format("{}: {} (it is {} {} {}, you are {})", path, reason_text(error_number),
                          mode_text(status.st_mode), owner,
                          group.value_or(std::to_string(status.st_gid)), user),
      .remedy = {}};
  if (!facts.container.empty()) {
    problem.remedy = fmt::format(
        "this is a {} container: start it with --device {} and a user who may use the device",
        facts.container, path);
    return problem;
  }
  const std::string once = fmt::format("sudo setfacl -m u:{}:rw {}", user, path);
  const bool group_may = (status.st_mode & 0060U) == 0060U && status.st_gid != 0;
  problem.remedy = group && group_may ? fmt::format(
                                            "for good: sudo usermod -aG {} {}, then log in again; "
                                            "until the next boot: {}",
                                            *group, user, once)
                                      : once;
  return problem;
}

KvmDeviceProblem open_problem(const std::string& path, int error_number, const HostFacts& facts,
                              const std::string& root) {
  const std::string what = fmt::format("{}: {}", path, reason_text(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return {.kind = Kind::kMissing, .what = what, .remedy = missing_remedy(path, facts)};
    case EACCES:
    case EPERM:
      return permission_problem(path, error_number, facts, root);
    case ENXIO:
    case ENODEV:
      return {.kind = Kind::kNoDriver, .what = what, .remedy = kernel_remedy(facts)};
    default:
      return {
          .kind = Kind::kOther, .what = what, .remedy = fmt::format("look at it: ls -l {}", path)};
  }
}

}  // namespace

std::optional<KvmDeviceProblem> kvm_device_problem(const std::string& path, const HostFacts& facts,
                                                   const std::string& root) {
  const UniqueFd device(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!device) {
    return open_problem(path, errno, facts, root);
  }
  const int version = ioctl(device.get(), KVM_GET_API_VERSION, 0);
  if (version == kKvmApiVersion) {
    return std::nullopt;
  }
  if (version < 0) {
    return KvmDeviceProblem{
        .kind = Kind::kNotKvm,
        .what = fmt::format("{} is not a KVM device: {}", path, reason_text(errno)),
        .remedy = fmt::format(
            "put the right one there: sudo rm {} && sudo mknod -m 660 {} c 10 232", path, path)};
  }
  return KvmDeviceProblem{
      .kind = Kind::kNotKvm,
      .what = fmt::format("{} speaks KVM API version {}, not {}", path, version, kKvmApiVersion),
      .remedy = "run a Linux kernel of this century's second decade or later"};
}

}  // namespace nestling
