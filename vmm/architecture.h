// What a machine needs from its architecture; one definition in each of vmm/x86_64, vmm/aarch64.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "addrspace/guest_memory.h"
#include "base/log.h"
#include "base/result.h"
#include "boot/boot_request.h"
#include "vmm/kvm_system.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

namespace nestling {

/// The guest-physical ranges that `size` bytes of RAM take up, ascending. Fails with kUsage.
[[nodiscard]] Result<std::vector<GuestPhysRange>> ram_layout(std::uint64_t size);

/// Adds the in-kernel interrupt controllers. After all memory slots, before the first vCPU.
/// Fails with kHostRefused.
[[nodiscard]] Result<void> add_irqchip(const Vm& vm);

/// Loads the image and whatever the kernel is handed into `memory`, and sets every register of the
/// vCPUs (ascending by id, at least one). Fails with kBadImage, kUsage or kHostRefused.
[[nodiscard]] Result<void> boot_vcpus(const KvmSystem& kvm, std::span<Vcpu> vcpus, Irqchip irqchip,
                                      const BootRequest& request, GuestMemory& memory,
                                      const Log& log);

/// Where the vCPU will go on, or nothing when the host does not tell. Between runs only.
[[nodiscard]] std::optional<GuestVirtAddr> program_counter(const Vcpu& vcpu);

}  // namespace nestling
