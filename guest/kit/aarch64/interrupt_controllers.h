// The GIC, version 2 or 3, and the architected timers. Only for kernels whose note asks for them.
#pragma once

#include <cstdint>

namespace nestling::guest::aarch64 {

/// An interrupt's number.
enum class Intid : std::uint32_t {};

/// What the acknowledge register says when nothing is pending.
inline constexpr Intid kNoInterrupt{1023};

/// The interrupt controller, whose version the boot information tells (GIC Architecture
/// Specification, "Programmers' Model").
namespace gic {
/// Enables the distributor and this CPU's interface; every interrupt is still off.
void set_up();
/// The same for a CPU that was started after set_up().
void set_up_this_cpu();
/// Lets a private or shared interrupt come, a shared one to the first CPU; level-sensitive.
void enable(Intid intid);
/// Of the interrupt that a handler was called for, or kNoInterrupt.
[[nodiscard]] Intid acknowledge();
void end_of_interrupt(Intid intid);
/// Interrupts the CPU that the hardware calls `cpu_id`, which has enabled `intid`, 0 to 15.
void send(std::uint64_t cpu_id, Intid intid);
}  // namespace gic

/// The timers that each CPU has (Arm ARM, "The Generic Timer in AArch64 state").
enum class Timer : std::uint8_t { kVirtual, kPhysical };

namespace timer {
/// Ticks in a second, of both.
[[nodiscard]] std::uint64_t frequency();
/// Its interrupt.
[[nodiscard]] Intid intid(Timer timer);
/// The interrupt line rises in `ticks` and stays high until the timer is started again or stopped.
void start(Timer timer, std::uint32_t ticks);
void stop(Timer timer);
}  // namespace timer

}  // namespace nestling::guest::aarch64
