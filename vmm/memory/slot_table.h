// SlotTable: KVM's memory slots, as the mirror of the view needs them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "addrspace/range.h"
#include "base/result.h"

namespace nestling {

/// Which accesses of the guest a slot serves without an exit.
enum class SlotRights : std::uint8_t {
  kReadWrite,
  kReadOnly,  ///< writes become MMIO exits
};

/// One memory slot: guest addresses, and the host bytes that appear there, equally long.
struct MemorySlot {
  std::uint32_t number = 0;
  GuestPhysRange guest;  ///< page-aligned, not empty
  std::span<std::byte> host;
  SlotRights rights = SlotRights::kReadWrite;
};

/// The slots of one VM. What KVM demands holds here too: slots do not overlap, and one that is
/// there cannot change but be removed. Thread-safe.
class SlotTable {
 public:
  virtual ~SlotTable() = default;

  /// Adds `slot`, whose number must be free. The host bytes must outlive it. Fails with
  /// kHostRefused.
  [[nodiscard]] virtual Result<void> add_slot(const MemorySlot& slot) = 0;
  /// Removes the slot with this number. Fails with kHostRefused.
  [[nodiscard]] virtual Result<void> remove_slot(std::uint32_t number) = 0;
  /// How many slots there can be; their numbers are below it.
  [[nodiscard]] virtual std::uint32_t slot_limit() const = 0;
};

}  // namespace nestling
