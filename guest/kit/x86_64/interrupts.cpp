// The table of handlers, and what happens to an exception that nobody handles.
#include "guest/kit/x86_64/interrupts.h"

#include <array>
#include <utility>

#include "guest/kit/console.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"
#include "guest/kit/x86_64/control.h"

namespace nestling::guest {
namespace x86_64 {
namespace {

constexpr std::array<std::string_view, 32> kNames{
    "#DE divide error",
    "#DB debug",
    "NMI",
    "#BP breakpoint",
    "#OF overflow",
    "#BR bound range exceeded",
    "#UD invalid opcode",
    "#NM device not available",
    "#DF double fault",
    "coprocessor segment overrun",
    "#TS invalid TSS",
    "#NP segment not present",
    "#SS stack fault",
    "#GP general protection",
    "#PF page fault",
    "reserved",
    "#MF x87 error",
    "#AC alignment check",
    "#MC machine check",
    "#XM SIMD error",
    "#VE virtualization",
    "#CP control protection",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "reserved",
    "#HV hypervisor injection",
    "#VC VMM communication",
    "#SX security",
    "reserved",
};

/// A CPU has one interrupt table, so a kernel has one of these.
constinit std::array<Handler, 256> handlers{};

}  // namespace

Handler set_handler(Vector vector, Handler handler) {
  return std::exchange(handlers[static_cast<std::uint8_t>(vector)], handler);
}

std::string_view vector_name(std::uint64_t vector) {
  return vector < kNames.size() ? kNames[vector] : "interrupt";
}

void print_frame(const Frame& frame) {
  print("{}, vector {}, error code {}, ring {}\n", vector_name(frame.vector), frame.vector,
        hex(frame.error_code), frame.cs & 3);
  print("  rip {}  cs {}  rflags {}\n", hex16(frame.rip), hex(frame.cs), hex(frame.rflags));
  print("  rsp {}  ss {}  cr2 {}\n", hex16(frame.rsp), hex(frame.ss), hex16(read_cr2()));
  print("  rax {}  rbx {}  rcx {}\n", hex16(frame.rax), hex16(frame.rbx), hex16(frame.rcx));
  print("  rdx {}  rsi {}  rdi {}\n", hex16(frame.rdx), hex16(frame.rsi), hex16(frame.rdi));
  print("  rbp {}  r8  {}  r9  {}\n", hex16(frame.rbp), hex16(frame.r8), hex16(frame.r9));
  print("  r10 {}  r11 {}  r12 {}\n", hex16(frame.r10), hex16(frame.r11), hex16(frame.r12));
  print("  r13 {}  r14 {}  r15 {}\n", hex16(frame.r13), hex16(frame.r14), hex16(frame.r15));
}

namespace {

/// An interrupt never comes between STI and HLT, but for processors under emulation that forget
/// this: the HLT would sleep over what it was to wait for, so it is left out then.
void leave_out_halt(Frame& frame) {
  constexpr std::uint8_t kSti = 0xfb;
  constexpr std::uint8_t kHlt = 0xf4;
  const auto* const next = at_address<const std::uint8_t>(frame.rip);
  if (frame.vector >= kNames.size() && (frame.cs & 3) == 0 && next[0] == kHlt && next[-1] == kSti) {
    ++frame.rip;
  }
}

}  // namespace

/// Where vectors.S comes for every vector.
extern "C" void guest_interrupted(Frame& frame) {
  const Handler handler = handlers[frame.vector & 0xff];
  if (handler == nullptr) {
    give_up(frame);
  }
  handler(frame);
  leave_out_halt(frame);
}

void give_up(const Frame& frame) {
  print("\nunhandled exception or interrupt: ");
  print_frame(frame);
  panic(vector_name(frame.vector));
}

}  // namespace x86_64

void interrupts_on() { asm volatile("sti" : : : "memory"); }

void interrupts_off() { asm volatile("cli" : : : "memory"); }

// The instruction behind STI still runs without interrupts.
void wait_for_interrupt() { asm volatile("sti; hlt; cli" : : : "memory"); }

// With an empty IDT any exception is a triple fault.
void forget_exception_handlers() {
  const x86_64::TablePointer none{};
  x86_64::load_idt(none);
}

}  // namespace nestling::guest
