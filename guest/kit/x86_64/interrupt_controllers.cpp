// The registers of the PC's interrupt controllers and timers.
#include "guest/kit/x86_64/interrupt_controllers.h"

#include "guest/kit/physical.h"
#include "guest/kit/x86_64/control.h"
#include "guest/kit/x86_64/ports.h"

namespace nestling::guest::x86_64 {
namespace {

constexpr std::uint8_t kFirstPicVector = 32;
constexpr Port kFirstPicCommand{0x20};
constexpr Port kFirstPicData{0x21};
constexpr Port kSecondPicCommand{0xa0};
constexpr Port kSecondPicData{0xa1};
constexpr std::uint8_t kCascade = 2;  // the first PIC's line that the second one drives

constexpr Port kPitChannel0{0x40};
constexpr Port kPitCommand{0x43};

constexpr std::uint64_t kIoApic = 0xfec0'0000;
constexpr std::uint64_t kLocalApic = 0xfee0'0000;

/// Offsets of registers in the local APIC's page.
constexpr std::uint64_t kApicEndOfInterrupt = 0xb0;
constexpr std::uint64_t kApicSpurious = 0xf0;
constexpr std::uint64_t kApicCommandLow = 0x300;
constexpr std::uint64_t kApicCommandHigh = 0x310;
constexpr std::uint64_t kApicTimer = 0x320;
constexpr std::uint64_t kApicLint0 = 0x350;
constexpr std::uint64_t kApicTimerInitialCount = 0x380;
constexpr std::uint64_t kApicTimerDivide = 0x3e0;

volatile std::uint32_t& register_at(std::uint64_t address) {
  return *at_address<volatile std::uint32_t>(address);
}

std::uint8_t number(Irq irq) { return static_cast<std::uint8_t>(irq); }

std::uint8_t bit(std::uint8_t line) { return static_cast<std::uint8_t>(1U << line); }

void unmask_line(Port data, std::uint8_t line) {
  out(data, static_cast<std::uint8_t>(in<std::uint8_t>(data) & ~bit(line)));
}

void program_pic(Port command, std::uint8_t vector, std::uint8_t wiring) {
  const Port data = command + 1;
  out(command, std::uint8_t{0x11});  // ICW1: edge-triggered, cascaded, ICW4 follows
  out(data, vector);                 // ICW2
  out(data, wiring);                 // ICW3
  out(data, std::uint8_t{0x01});     // ICW4: 8086 mode
  out(data, std::uint8_t{0xff});     // OCW1: all masked
}

}  // namespace

namespace pic {

void set_up() {
  program_pic(kFirstPicCommand, kFirstPicVector, bit(kCascade));
  program_pic(kSecondPicCommand, kFirstPicVector + 8, kCascade);
}

void unmask(Irq irq) {
  if (number(irq) < 8) {
    unmask_line(kFirstPicData, number(irq));
  } else {
    unmask_line(kSecondPicData, static_cast<std::uint8_t>(number(irq) - 8));
    unmask_line(kFirstPicData, kCascade);
  }
}

void end_of_interrupt(Irq irq) {
  constexpr std::uint8_t kNonSpecific = 0x20;  // OCW2
  if (number(irq) >= 8) {
    out(kSecondPicCommand, kNonSpecific);
  }
  out(kFirstPicCommand, kNonSpecific);
}

Vector vector_of(Irq irq) { return static_cast<Vector>(kFirstPicVector + number(irq)); }

}  // namespace pic

namespace io_apic {

void route(Irq irq, Vector vector) {
  const std::uint32_t entry = 0x10 + 2U * number(irq);
  volatile std::uint32_t& select = register_at(kIoApic);
  volatile std::uint32_t& window = register_at(kIoApic + 0x10);
  select = entry + 1;
  window = 0;  // to the CPU whose APIC has number 0
  select = entry;
  window = static_cast<std::uint32_t>(vector);  // fixed, active high, edge, not masked
}

}  // namespace io_apic

namespace local_apic {

void set_up() {
  constexpr std::uint32_t kEnabled = 1U << 8;
  constexpr std::uint32_t kSpuriousVector = 0xff;
  constexpr std::uint32_t kExternal = 7U << 8;  // delivery mode ExtINT
  register_at(kLocalApic + kApicSpurious) = kEnabled | kSpuriousVector;
  register_at(kLocalApic + kApicLint0) = kExternal;
}

void end_of_interrupt() { register_at(kLocalApic + kApicEndOfInterrupt) = 0; }

namespace {

constexpr std::uint32_t kAssert = 1U << 14;

void send(Id cpu, std::uint32_t command) {
  register_at(kLocalApic + kApicCommandHigh) = static_cast<std::uint32_t>(cpu) << 24;
  register_at(kLocalApic + kApicCommandLow) = command;
}

}  // namespace

void send_init(Id cpu) {
  constexpr std::uint32_t kInit = 5U << 8;
  send(cpu, kInit | kAssert);
}

void send_startup(Id cpu, std::uint64_t page) {
  constexpr std::uint32_t kStartup = 6U << 8;
  send(cpu, kStartup | kAssert | static_cast<std::uint32_t>(page / 4096));
}

void send_interrupt(Id cpu, Vector vector) {
  send(cpu, kAssert | static_cast<std::uint32_t>(vector));
}

void start_periodic_timer(Vector vector, std::uint32_t ticks) {
  constexpr std::uint32_t kPeriodic = 1U << 17;
  constexpr std::uint32_t kDivideBy16 = 3;
  register_at(kLocalApic + kApicTimerDivide) = kDivideBy16;
  register_at(kLocalApic + kApicTimer) = kPeriodic | static_cast<std::uint32_t>(vector);
  register_at(kLocalApic + kApicTimerInitialCount) = ticks;
}

void stop_timer() { register_at(kLocalApic + kApicTimerInitialCount) = 0; }

}  // namespace local_apic

namespace pit {

void start_periodic(std::uint16_t counts) {
  out(kPitCommand, std::uint8_t{0x34});  // channel 0, low then high byte, rate generator
  out(kPitChannel0, static_cast<std::uint8_t>(counts));
  out(kPitChannel0, static_cast<std::uint8_t>(counts >> 8));
}

void stop() {
  out(kPitCommand, std::uint8_t{0x30});  // one shot, which waits for a count that never comes
}

}  // namespace pit

}  // namespace nestling::guest::x86_64
