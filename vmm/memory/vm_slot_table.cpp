// KVM_SET_USER_MEMORY_REGION, both ways.
#include "vmm/memory/vm_slot_table.h"

#include <cerrno>

#include "vmm/kvm_api.h"
#include "vmm/kvm_system.h"

namespace nestling {

namespace {

std::uint32_t limit_of(const Vm& vm) {
  // What every KVM has had since before it could be asked.
  constexpr int kLeast = 32;
  const int answer = kvm_ioctl(vm.fd(), KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
  return static_cast<std::uint32_t>(answer > 0 ? answer : kLeast);
}

}  // namespace

VmSlotTable::VmSlotTable(const Vm& vm) : vm_(vm), slot_limit_(limit_of(vm)) {}

Result<void> VmSlotTable::add_slot(const MemorySlot& slot) {
  check(slot.guest.size() == slot.host.size(), "a memory slot has as many host as guest bytes");
  kvm_userspace_memory_region region{
      .slot = slot.number,
      .flags = slot.rights == SlotRights::kReadOnly ? std::uint32_t{KVM_MEM_READONLY} : 0U,
      .guest_phys_addr = slot.guest.start().value(),
      .memory_size = slot.guest.size(),
      .userspace_addr = reinterpret_cast<std::uintptr_t>(slot.host.data()),
  };
  if (kvm_ioctl(vm_.fd(), KVM_SET_USER_MEMORY_REGION, &region) < 0) {
    return failure(host_error(fmt::format("memory slot {} at {:#x}, {:#x} bytes", slot.number,
                                          slot.guest.start().value(), slot.guest.size()),
                              errno));
  }
  return {};
}

Result<void> VmSlotTable::remove_slot(std::uint32_t number) {
  kvm_userspace_memory_region region{};  // a size of 0 removes
  region.slot = number;
  if (kvm_ioctl(vm_.fd(), KVM_SET_USER_MEMORY_REGION, &region) < 0) {
    return failure(host_error(fmt::format("removal of memory slot {}", number), errno));
  }
  return {};
}

}  // namespace nestling
