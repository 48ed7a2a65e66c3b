// KvmSystem: /dev/kvm, opened and checked; the factory of VMs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "vmm/vm.h"

namespace nestling {

inline constexpr const char* kKvmDevice = "/dev/kvm";

/// ioctl() on a KVM descriptor, repeated when a signal cuts it short. The result as ioctl gives it.
/// `argument` is passed by value or as a pointer, whichever the request takes.
[[nodiscard]] int kvm_ioctl(int fd, unsigned long request, unsigned long argument = 0);
[[nodiscard]] int kvm_ioctl(int fd, unsigned long request, void* argument);

/// The host's KVM. One a process is enough. Thread-safe.
class KvmSystem {
 public:
  /// Fails with kNoKvm, and what to do about it, when `path` is missing, may not be opened, is not
  /// KVM, or speaks another version of the interface.
  [[nodiscard]] static Result<KvmSystem> open(const std::string& path = kKvmDevice);

  /// A VM without memory or vCPUs. Fails with kNoKvm.
  [[nodiscard]] Result<Vm> create_vm() const;

  /// What KVM_CHECK_EXTENSION answers for `capability`: 0 where absent, often a number where
  /// present.
  [[nodiscard]] int extension(std::uint32_t capability) const;

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  KvmSystem(UniqueFd fd, std::uint64_t run_size) : fd_(std::move(fd)), run_size_(run_size) {}

  UniqueFd fd_;
  std::uint64_t run_size_;  // bytes of each vCPU's shared kvm_run area
};

}  // namespace nestling
