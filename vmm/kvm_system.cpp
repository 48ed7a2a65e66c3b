// Opening /dev/kvm, with an error that says how to mend each way it fails.
#include "vmm/kvm_system.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "vmm/kvm_api.h"

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

Error open_error(const std::string& path, int error_number) {
  const std::string what = host_error(fmt::format("cannot open {}", path), error_number).message;
  switch (error_number) {
    case ENOENT:
      return make_error(
          ErrorKind::kNoKvm,
          "{}; load the module for this processor (modprobe kvm_intel or kvm_amd), or "
          "switch virtualization on in the firmware or in the outer hypervisor",
          what);
    case EACCES:
    case EPERM:
      return make_error(ErrorKind::kNoKvm,
                        "{}; join the group that owns it (sudo usermod -aG kvm $USER, then log in "
                        "again) or grant access now (sudo setfacl -m u:$USER:rw {})",
                        what, path);
    case ENODEV:
    case ENXIO:
      return make_error(
          ErrorKind::kNoKvm,
          "{}; the device is there but no KVM module serves it: modprobe kvm_intel or "
          "kvm_amd",
          what);
    default:
      return make_error(ErrorKind::kNoKvm, "{}", what);
  }
}

}  // namespace

Result<KvmSystem> KvmSystem::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) {
    return failure(open_error(path, errno));
  }
  const int version = kvm_ioctl(fd.get(), KVM_GET_API_VERSION);
  if (version < 0) {
    return failure(make_error(ErrorKind::kNoKvm, "{} is not a KVM device", path));
  }
  if (version != KVM_API_VERSION) {
    return failure(make_error(ErrorKind::kNoKvm, "{} speaks KVM interface version {}, not {}", path,
                              version, KVM_API_VERSION));
  }
  const int run_size = kvm_ioctl(fd.get(), KVM_GET_VCPU_MMAP_SIZE);
  if (run_size < static_cast<int>(sizeof(kvm_run))) {
    return failure(
        make_error(ErrorKind::kNoKvm, "{} gives a vCPU area of {} bytes", path, run_size));
  }
  return KvmSystem(std::move(fd), static_cast<std::uint64_t>(run_size));
}

Result<Vm> KvmSystem::create_vm() const {
  UniqueFd fd(kvm_ioctl(fd_.get(), KVM_CREATE_VM));
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
