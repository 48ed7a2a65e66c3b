// Interrupts as every architecture has them: on, off, and sleeping until one comes. Handlers are
// the architecture's own.
#pragma once

namespace nestling::guest {

void interrupts_on();
void interrupts_off();

/// Sleeps until an interrupt was handled. Interrupts are off when called and when it returns; none
/// is missed in between.
void wait_for_interrupt();

/// Takes away the kit's handlers: from here on any exception is the VMM's to report, as one that
/// happens before a kernel has handlers.
void forget_exception_handlers();

}  // namespace nestling::guest
