// Opening /dev/kvm, with an error that says how to mend each way it fails.
#include "vmm/kvm_system.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "vmm/host_facts.h"
#include "vmm/kvm_api.h"
#include "vmm/kvm_device_check.h"
#include "vmm/native.h"

namespace nestling {

int kvm_ioctl(int fd, unsigned long request, unsigned long argument) {
  int result = 0;
  do {
    result = ioctl(fd, request, argument);
  } while (result < 0 && errno == EINTR);
  return result;
}

int kvm_ioctl(int fd, unsigned long request, void* argument) {
  return kvm_ioctl(fd, request, reinterpret_cast<std::uintptr_t>(argument));
}

namespace {

/// Finding out what is wrong takes reading the host's files, so it is done only once it is wrong.
Error open_error(const std::string& path) {
  const auto problem = kvm_device_problem(path, read_host_facts(""), "");
  if (!problem) {
    return make_error(ErrorKind::kNoKvm, "{} could not be used a moment ago; try again", path);
  }
  return make_error(ErrorKind::kNoKvm, "KVM cannot be used: {}. To mend it: {}", problem->what,
                    problem->remedy);
}

}  // namespace

Result<KvmSystem> KvmSystem::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd || kvm_ioctl(fd.get(), KVM_GET_API_VERSION) != kKvmApiVersion) {
    return failure(open_error(path));
  }
  const int run_size = kvm_ioctl(fd.get(), KVM_GET_VCPU_MMAP_SIZE);
  if (run_size < static_cast<int>(sizeof(kvm_run))) {
    return failure(
        make_error(ErrorKind::kNoKvm, "{} gives a vCPU area of {} bytes", path, run_size));
  }
  return KvmSystem(std::move(fd), static_cast<std::uint64_t>(run_size));
}

Result<Vm> KvmSystem::create_vm() const {
  UniqueFd fd(kvm_ioctl(fd_.get(), KVM_CREATE_VM, vm_type(*this)));
  if (!fd) {
    Error error = host_error("KVM_CREATE_VM", errno);
    error.kind = ErrorKind::kNoKvm;
    return failure(std::move(error));
  }
  return Vm(std::move(fd), run_size_);
}

int KvmSystem::extension(std::uint32_t capability) const {
  const int answer = kvm_ioctl(fd_.get(), KVM_CHECK_EXTENSION, capability);
  return answer < 0 ? 0 : answer;
}

}  // namespace nestling
