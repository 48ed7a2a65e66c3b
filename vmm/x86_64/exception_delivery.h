// Why the processor cannot deliver an exception to the guest: the IDT, the gate, the handler or the
// stack.
#pragma once

#include <cstdint>
#include <string>

#include "vmm/x86_64/guest_view.h"

namespace nestling::x86_64 {

/// What stops delivery of `vector`, as words that go on after "with": "no handler: the IDT is empty
/// (limit 0)". Empty when nothing is found to be in the way, and for real mode, where everything
/// is. Intel SDM volume 3, "Exception and Interrupt Handling in 64-bit Mode" and "IDT Descriptors".
[[nodiscard]] std::string delivery_obstacle(GuestView& view, std::uint8_t vector);

}  // namespace nestling::x86_64
