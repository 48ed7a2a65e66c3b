// SpaceMemory: an address space as one loader, vCPU or device sees it.
#pragma once

#include "addrspace/address_space.h"
#include "addrspace/guest_memory.h"

namespace nestling {

/// GuestMemory over an address space, on behalf of one actor, whose accesses the audit log names.
/// Memory that is mapped but not populated comes into being at the first access, as it does for the
/// guest, unless this is for somebody who only looks: then it is not there. Thread-safe, as the
/// space is.
class SpaceMemory final : public GuestMemory {
 public:
  /// `space` must outlive this object.
  SpaceMemory(AddressSpace& space, Actor actor, Unpopulated unpopulated = Unpopulated::kIsPopulated)
      : space_(space), actor_(actor), unpopulated_(unpopulated) {}

  [[nodiscard]] Result<SpanList, MemoryFault> spans(GuestPhysRange range, Access access) override {
    return space_.translated_byte_buffer(range, access, unpopulated_, actor_);
  }

 private:
  AddressSpace& space_;
  Actor actor_;
  Unpopulated unpopulated_;
};

}  // namespace nestling
