// The interrupt controllers and timers of a PC: 8259 PICs, I/O APIC, local APIC, 8254 PIT. Only for
// kernels whose note asks for them.
#pragma once

#include <cstdint>

#include "guest/kit/x86_64/frame.h"

namespace nestling::guest::x86_64 {

/// An interrupt line of the ISA bus, 0 to 15.
enum class Irq : std::uint8_t {};

/// The two 8259s (data sheet: ICW1 … ICW4, OCW1, OCW2), line n at vector 32 + n.
namespace pic {
/// Programs both and masks every line.
void set_up();
void unmask(Irq irq);
void end_of_interrupt(Irq irq);
[[nodiscard]] Vector vector_of(Irq irq);
}  // namespace pic

/// The I/O APIC at 0xfec0'0000.
namespace io_apic {
/// Edge-triggered pin `irq` interrupts this CPU at `vector`.
void route(Irq irq, Vector vector);
}  // namespace io_apic

/// This CPU's APIC at 0xfee0'0000 (Intel SDM volume 3, "Advanced Programmable Interrupt
/// Controller").
namespace local_apic {
/// Enables it, with the PICs as external interrupts at LINT0.
void set_up();
void end_of_interrupt();
/// What the hardware calls a CPU.
enum class Id : std::uint8_t {};
/// Resets the CPU, which then waits for a start.
void send_init(Id cpu);
/// The CPU, if it waits, begins in real mode at `page`, which is below 1 MiB.
void send_startup(Id cpu, std::uint64_t page);
/// Interrupts the CPU, which has set its APIC up, at `vector`.
void send_interrupt(Id cpu, Vector vector);
/// Interrupts at `vector` each time `ticks` of the bus clock divided by 16 have passed.
void start_periodic_timer(Vector vector, std::uint32_t ticks);
void stop_timer();
}  // namespace local_apic

/// Channel 0 of the 8254: 1,193,182 counts a second, on IRQ 0.
namespace pit {
inline constexpr std::uint32_t kCountsPerSecond = 1'193'182;
/// An interrupt each `counts`, from 2 to 65535.
void start_periodic(std::uint16_t counts);
/// No further interrupts.
void stop();
}  // namespace pit

}  // namespace nestling::guest::x86_64
