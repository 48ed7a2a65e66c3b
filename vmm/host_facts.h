// HostFacts: what the host says of its processor, KVM modules, memory and users, read from files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nestling {

/// Which hardware virtualization the processor shows to this kernel. An arm64 processor does not
/// show whether the kernel was started in EL2, where its KVM lives: that there is /dev/kvm tells.
enum class HardwareVirtualization : std::uint8_t { kNone, kVmx, kSvm, kEl2 };

/// A KVM module that runs guests (not the common `kvm`), loaded or built in.
struct KvmModule {
  /// "kvm_intel", "kvm_amd" or "kvm_pvm".
  std::string name;
  /// Its parameter `nested`: guests may run guests. Absent where it has none.
  std::optional<bool> nested;
  /// Its parameter `ept` or `npt`: second-level page tables in hardware.
  std::optional<bool> nested_paging;
};

/// Absent values are those the host does not tell. Sizes in bytes.
struct HostFacts {
  std::string processor;
  HardwareVirtualization hardware_virtualization = HardwareVirtualization::kNone;
  /// The processor says that it is one of a virtual machine.
  bool is_virtual_machine = false;
  std::vector<KvmModule> kvm_modules;
  /// The kernel has a KVM device, whether or not there is a file for it here.
  std::optional<bool> has_kvm_device;
  /// "docker", "podman" …; empty outside of containers.
  std::string container;
  std::optional<std::uint64_t> memory;
  std::optional<std::uint64_t> available_memory;
  /// What the control group of this machine or container allows; absent without a limit.
  std::optional<std::uint64_t> memory_limit;
  /// "always", "madvise" or "never"; for anonymous and for shared memory.
  std::string huge_pages;
  std::string shared_huge_pages;
};

/// Reads the facts below `root`, which is "" for this host and a made-up tree in tests. A missing
/// file is a fact that is absent, never an error.
[[nodiscard]] HostFacts read_host_facts(const std::string& root);

/// The name of the group or user with number `id` in a file laid out like /etc/group and
/// /etc/passwd; nothing when it is not there. Read by hand, because the C library's functions load
/// plugins, which a static program cannot.
[[nodiscard]] std::optional<std::string> name_of_id(const std::string& path, std::uint32_t id);

}  // namespace nestling
