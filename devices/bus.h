// Bus: which device answers at which address; refuses overlaps, splits what straddles devices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "addrspace/range.h"
#include "base/result.h"
#include "devices/device.h"

namespace nestling {

/// Devices by address. Attach everything first; after that any thread may read and write.
template <typename AddressType>
class Bus {
 public:
  /// What an access met. `value` is meaningful for reads: bytes nobody claims are ones.
  struct Outcome {
    enum class Claimed : std::uint8_t { kAll, kSome, kNone };
    std::uint64_t value = 0;
    Claimed claimed = Claimed::kNone;
  };

  /// Makes `device` answer in `range`; it must outlive the bus. `name` is for messages.
  /// Fails with kBug when the range is empty or overlaps one attached before.
  [[nodiscard]] Result<void> attach(std::string name, Range<AddressType> range, Device& device);

  [[nodiscard]] Outcome read(AddressType address, AccessWidth width) const;
  [[nodiscard]] Outcome write(AddressType address, AccessWidth width, std::uint64_t value) const;

 private:
  struct Attachment {
    std::string name;
    Range<AddressType> range;
    Device* device = nullptr;
  };

  /// The attachment at `address`, or null.
  [[nodiscard]] const Attachment* find(AddressType address) const;

  std::vector<Attachment> attachments_;  // ascending by address
};

extern template class Bus<Port>;
extern template class Bus<GuestPhysAddr>;

/// x86 I/O ports.
using PortBus = Bus<Port>;
/// Guest-physical addresses that are registers, not memory.
using MmioBus = Bus<GuestPhysAddr>;

}  // namespace nestling
