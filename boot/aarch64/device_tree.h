// The flattened device tree of an arm64 machine, as kernels of other authors expect it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "addrspace/range.h"
#include "boot/boot_info.h"

namespace nestling::aarch64 {

/// The affinity bits of MPIDR_EL1 that KVM gives the vCPU with this number: 16 to a cluster. Also
/// what PSCI calls the CPU.
[[nodiscard]] constexpr std::uint32_t cpu_affinity(std::uint32_t cpu) {
  return (cpu & 0xf) | (cpu >> 4 & 0xff) << 8 | (cpu >> 12 & 0xff) << 16;
}

/// What the tree describes; everything is lent for the call.
struct Hardware {
  /// Ascending, disjoint, none empty.
  std::span<const GuestPhysRange> ram;
  std::uint32_t cpu_count = 1;
  /// Those in memory that a binding of Linux's or of Nestling's exists for become nodes; the GIC is
  /// a kGicDistributor and a kGicRedistributors (GICv3) or kGicCpuInterface (GICv2).
  std::span<const DeviceEntry> devices;
  /// No NUL in it.
  std::string_view command_line;
  std::optional<GuestPhysRange> initrd;
  /// For the kernel's random numbers; none when empty.
  std::span<const std::byte> rng_seed;
};

/// The blob (Devicetree Specification, "Flattened Devicetree (DTB) Format"). Its nodes: /cpus with
/// PSCI, /memory@…, /psci, /timer, /intc@… where there is an interrupt controller, a node for each
/// device, and /chosen.
[[nodiscard]] std::vector<std::byte> make_device_tree(const Hardware& hardware);

}  // namespace nestling::aarch64
