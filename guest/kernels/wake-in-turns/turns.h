// How one CPU wakes another: by the architecture's interrupts between processors.
#pragma once

namespace nestling::guest {

/// On the CPU that boots, before others are started; it can be woken itself from now on.
void set_up_waking();
/// On each other CPU.
void let_this_cpu_be_woken();
/// Interrupts CPU `cpu`, whose handler does nothing.
void wake(unsigned cpu);

}  // namespace nestling::guest
