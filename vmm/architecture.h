// What a machine needs from its architecture; one definition in each of vmm/x86_64, vmm/aarch64.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "addrspace/address_space.h"
#include "addrspace/guest_memory.h"
#include "addrspace/guest_translation.h"
#include "addrspace/guest_walk.h"
#include "base/log.h"
#include "base/result.h"
#include "boot/boot_request.h"
#include "boot/symbols.h"
#include "vmm/exit_record.h"
#include "vmm/kvm_system.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

namespace nestling {

/// The guest-physical ranges that `size` bytes of RAM take up, ascending. Fails with kUsage, also
/// where the host's guests have too few addresses.
[[nodiscard]] Result<std::vector<GuestPhysRange>> ram_layout(const KvmSystem& kvm,
                                                             std::uint64_t size);

/// What a machine gets that asks for `wanted`: on arm64 there are always interrupt controllers,
/// which cost nothing there.
[[nodiscard]] Irqchip offered_irqchip(Irqchip wanted);

/// Loads the image and whatever the kernel is handed into `memory`, and sets every register of the
/// vCPUs (ascending by id, at least one); tells the kernel what the hardware calls each of them.
/// Fails with kBadImage, kUsage or kHostRefused.
[[nodiscard]] Result<void> boot_vcpus(const KvmSystem& kvm, const Vm& vm, std::span<Vcpu> vcpus,
                                      Irqchip irqchip, const BootRequest& request,
                                      GuestMemory& memory, const Log& log);

/// Walks the tables of `vcpu`, which its own thread has stopped, as it would for `access` of
/// `address`. Tables that are not populated yet are, as they would be for the vCPU.
[[nodiscard]] GuestTranslation translate_live(const Vcpu& vcpu, AddressSpace& space,
                                              GuestVirtAddr address, GuestAccess access);
/// Has KVM say so when it cannot read an instruction of a vCPU of `vm`, at every privilege level
/// and without any other effect, as far as this KVM can: InternalErrorExit::kEmulation.
void tell_of_unreadable_instructions(const Vm& vm);

/// The pages, one or two, that hold the instruction a stopped vCPU is at: each the part of the
/// longest instruction that stands in it; empty where the guest's tables do not say. What the walk
/// reads of `memory` is populated.
[[nodiscard]] std::array<GuestPhysRange, 2> instruction_at(const Vcpu& vcpu, GuestMemory& memory);

/// A vCPU that will not run again, and what a report about it needs. All of it must outlive this.
struct StoppedVcpu {
  const Vcpu& vcpu;
  GuestMemory& memory;
  const SymbolTable& symbols;
  /// Oldest first, of `exit_count` in all.
  std::span<const ExitRecord> last_exits;
  std::uint64_t exit_count = 0;
  std::string_view last_console_line;
};

/// What there is to say about a stopped vCPU; text of the guest's is made harmless for terminals.
struct Postmortem {
  /// "0x100234 in crash_now+0x14".
  std::string location;
  /// For a vCPU that shut down: "triple fault at …: …", with the cause as far as it is certain. On
  /// arm64: the exception that nobody handles.
  std::string shutdown_reason;
  /// False where the registers prove that it did not shut down for want of a memory slot.
  bool may_lack_slot = true;
  /// Why the vCPU will never do anything else, where its registers prove it; else empty.
  std::string hang_reason = {};
  /// Registers, bytes at the instruction, page walks, backtrace, last exits; ends with a newline.
  std::string report;
  /// What the processor reads to run the next instruction: entries of page tables, and the
  /// instruction where they lead to it.
  std::vector<GuestPhysAddr> instruction_path = {};
};

/// Fails with kHostRefused when the registers cannot be read.
[[nodiscard]] Result<Postmortem> examine(const StoppedVcpu& stopped);

}  // namespace nestling
