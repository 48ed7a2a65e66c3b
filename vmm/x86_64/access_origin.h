// The origin of an access from a CPU's registers and memory; knows no KVM.
#pragma once

#include "vmm/access_origin.h"
#include "vmm/x86_64/guest_view.h"

namespace nestling::x86_64 {

/// What the state that KVM shows at the exit proves. KVM's emulator is done with an instruction
/// that writes memory before it tells of the write, so RIP is behind it then, unless it is a
/// repeated string instruction that goes on; it tells of reads before. Where an instruction's
/// operand translates to the very address of the access, that is its virtual address.
[[nodiscard]] AccessOrigin origin_of_access(GuestView& view, const AccessSeen& seen);

}  // namespace nestling::x86_64
