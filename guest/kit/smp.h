// More CPUs than the one that boots: how many there are, starting them, telling which one runs.
#pragma once

namespace nestling::guest {

/// What a CPU runs, on a stack of its own, with interrupts off and the kit's exception handlers in
/// place. When it returns, the CPU halts for good.
using CpuFunction = void (*)();

/// The CPUs of the machine, started or not.
[[nodiscard]] unsigned cpu_count();

/// Which one this is: 0 booted. Where the kernel runs at its own privilege level only.
[[nodiscard]] unsigned this_cpu();

/// Starts CPU `index` (from 1, below cpu_count(), not started before, or off again since then) with
/// the page tables and controls of this one, and returns once it runs. One caller at a time. A
/// panic when the CPU does not come, or is one too many for the kit.
void start_cpu(unsigned index, CpuFunction function);

/// Tells the processor that this is a loop which waits for another one.
void relax();

}  // namespace nestling::guest
