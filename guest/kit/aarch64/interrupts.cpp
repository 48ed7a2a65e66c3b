// The tables of handlers, and what happens to an exception that nobody handles.
#include "guest/kit/aarch64/interrupts.h"

#include <array>
#include <utility>

#include "guest/kit/aarch64/control.h"
#include "guest/kit/console.h"
#include "guest/kit/run_end.h"

// start.S keeps here where VBAR_EL1 pointed at entry.
extern "C" std::uint64_t boot_vectors;

namespace nestling::guest {
namespace aarch64 {
namespace {

/// Exceptions have one table for all CPUs, so a kernel has one of these.
constinit std::array<Handler, 64> handlers{};
constinit Handler interrupt_handler = nullptr;

/// Vectors come in fours: synchronous exception, IRQ, FIQ, SError.
enum class Kind : std::uint8_t { kSynchronous, kIrq, kFiq, kSystemError };

Kind kind_of(const Frame& frame) { return static_cast<Kind>(frame.vector % 4); }

std::string_view name_of(const Frame& frame) {
  switch (kind_of(frame)) {
    case Kind::kSynchronous:
      return class_name(exception_class(frame));
    case Kind::kIrq:
      return "IRQ";
    case Kind::kFiq:
      return "FIQ";
    case Kind::kSystemError:
      return "SError";
  }
  return "?";
}

}  // namespace

Handler set_handler(ExceptionClass exception, Handler handler) {
  return std::exchange(handlers[static_cast<std::uint8_t>(exception)], handler);
}

void set_interrupt_handler(Handler handler) { interrupt_handler = handler; }

std::string_view class_name(ExceptionClass exception) {
  switch (exception) {
    case ExceptionClass::kUnknown:
      return "undefined instruction";
    case ExceptionClass::kTrappedWait:
      return "trapped WFI or WFE";
    case ExceptionClass::kFloatingPointTrap:
      return "trapped SIMD or floating point";
    case ExceptionClass::kIllegalState:
      return "illegal execution state";
    case ExceptionClass::kSystemCall:
      return "SVC instruction";
    case ExceptionClass::kTrappedSystemRegister:
      return "trapped system register access";
    case ExceptionClass::kInstructionAbortFromEl0:
    case ExceptionClass::kInstructionAbort:
      return "instruction abort";
    case ExceptionClass::kPcAlignment:
      return "PC alignment fault";
    case ExceptionClass::kDataAbortFromEl0:
    case ExceptionClass::kDataAbort:
      return "data abort";
    case ExceptionClass::kSpAlignment:
      return "SP alignment fault";
    case ExceptionClass::kFloatingPoint:
      return "floating-point exception";
    case ExceptionClass::kBreakpointFromEl0:
      return "breakpoint";
    case ExceptionClass::kSingleStepFromEl0:
    case ExceptionClass::kSingleStep:
      return "software step";
    case ExceptionClass::kBrk:
      return "BRK instruction";
  }
  return "exception";
}

void print_frame(const Frame& frame) {
  print("{}, vector {}, esr {}, EL{}\n", name_of(frame), frame.vector, hex(frame.esr),
        exception_level(frame));
  print("  pc  {}  pstate {}\n", hex16(frame.pc), hex(frame.pstate));
  print("  sp  {}  far {}\n", hex16(frame.sp), hex16(frame.far));
  for (unsigned first = 0; first < 30; first += 3) {
    print("  x{} {}  x{} {}  x{} {}\n", TwoDigits{first}, hex16(frame.x[first]),
          TwoDigits{first + 1}, hex16(frame.x[first + 1]), TwoDigits{first + 2},
          hex16(frame.x[first + 2]));
  }
  print("  x30 {}\n", hex16(frame.x[30]));
}

/// Where vectors.S comes for every vector.
extern "C" void guest_interrupted(Frame& frame) {
  Handler handler = nullptr;
  if (kind_of(frame) == Kind::kSynchronous) {
    handler = handlers[static_cast<std::uint8_t>(exception_class(frame))];
  } else if (kind_of(frame) == Kind::kIrq) {
    handler = interrupt_handler;
  }
  if (handler == nullptr) {
    give_up(frame);
  }
  handler(frame);
}

void give_up(const Frame& frame) {
  print("\nunhandled exception or interrupt: ");
  print_frame(frame);
  panic(name_of(frame));
}

}  // namespace aarch64

void interrupts_on() { asm volatile("msr daifclr, #2" : : : "memory"); }

void interrupts_off() { asm volatile("msr daifset, #2" : : : "memory"); }

// WFI also ends for an interrupt that is masked, so none is missed before it.
void wait_for_interrupt() {
  asm volatile("wfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" : : : "memory");
}

void forget_exception_handlers() { aarch64::write_register<aarch64::kVbar>(boot_vectors); }

}  // namespace nestling::guest
