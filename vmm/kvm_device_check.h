// Why /dev/kvm cannot be used, and the command that mends it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vmm/host_facts.h"

namespace nestling {

/// The KVM API version there has been since Linux 2.6.22, and the only one we know.
inline constexpr int kKvmApiVersion = 12;

/// What is wrong with the KVM device.
struct KvmDeviceProblem {
  enum class Kind : std::uint8_t {
    kMissing,       ///< there is no such file
    kNoDriver,      ///< the file is there, but no driver behind it
    kNoPermission,  ///< it may not be opened for reading and writing
    kNotKvm,        ///< it opens and does not answer as KVM
    kOther,         ///< opening it fails in another way
  };

  Kind kind = Kind::kOther;
  /// "/dev/kvm: Permission denied (crw-rw---- root kvm, and alice is not in kvm)"
  std::string what;
  /// What to do: a command, and where needed words around it.
  std::string remedy;
};

/// Tries the device at `path`; nothing when it is KVM and may be used. `facts` decide which remedy
/// fits; `root` is the folder above etc/passwd and etc/group, "" for this host.
[[nodiscard]] std::optional<KvmDeviceProblem> kvm_device_problem(const std::string& path,
                                                                 const HostFacts& facts,
                                                                 const std::string& root);

}  // namespace nestling
