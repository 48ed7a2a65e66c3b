// VmSlotTable: the memory slots of a VM in KVM.
#pragma once

#include <cstdint>

#include "vmm/memory/slot_table.h"
#include "vmm/vm.h"

namespace nestling {

class VmSlotTable final : public SlotTable {
 public:
  /// `vm` must outlive this.
  explicit VmSlotTable(const Vm& vm);

  [[nodiscard]] Result<void> add_slot(const MemorySlot& slot) override;
  [[nodiscard]] Result<void> remove_slot(std::uint32_t number) override;
  [[nodiscard]] std::uint32_t slot_limit() const override { return slot_limit_; }

 private:
  const Vm& vm_;
  std::uint32_t slot_limit_;
};

}  // namespace nestling
