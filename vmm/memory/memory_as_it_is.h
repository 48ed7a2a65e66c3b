// Guest memory for those who only look.
#pragma once

#include "addrspace/address_space.h"
#include "addrspace/guest_memory.h"

namespace nestling {

/// Memory as it is: nothing is populated, and what is not there cannot be read. `actor` is who
/// looks, for audits. `space` must outlive it. Any thread.
class MemoryAsItIs final : public GuestMemory {
 public:
  MemoryAsItIs(AddressSpace& space, Actor actor) : space_(space), actor_(actor) {}

  [[nodiscard]] Result<SpanList, MemoryFault> spans(GuestPhysRange range, Access access) override {
    return space_.translated_byte_buffer(range, access, Unpopulated::kFails, actor_);
  }

 private:
  AddressSpace& space_;
  Actor actor_;
};

}  // namespace nestling
