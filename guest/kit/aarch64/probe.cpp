// Accesses with a place to go on at when they abort.
#include "guest/kit/probe.h"

#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

using aarch64::ExceptionClass;
using aarch64::Frame;

/// Where an access that aborts goes on; 0 outside a probe.
constinit std::uint64_t recovery = 0;
constinit Probe outcome;

void on_abort(Frame& frame) {
  constexpr std::uint64_t kFaultStatus = 0x3f;  // ISS.DFSC and ISS.IFSC
  if (recovery == 0) {
    aarch64::give_up(frame);
  }
  outcome.faulted = true;
  outcome.fault_code = aarch64::syndrome(frame) & kFaultStatus;
  outcome.fault_address = frame.far;
  frame.pc = recovery;
}

void begin() {
  outcome = {};
  aarch64::set_handler(ExceptionClass::kDataAbort, on_abort);
  aarch64::set_handler(ExceptionClass::kInstructionAbort, on_abort);
}

Probe end() {
  recovery = 0;
  return outcome;
}

}  // namespace

Probe probe_read(std::uint64_t virt) {
  begin();
  std::uint64_t value = 0;
  asm volatile("adr x9, 1f\n\tstr x9, %[recovery]\n\tldr %[value], [%[virt]]\n1:"
               : [value] "+&r"(value), [recovery] "=m"(recovery)
               : [virt] "r"(virt)
               : "x9", "memory");
  outcome.value = value;
  return end();
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
Probe probe_write(std::uint64_t virt, std::uint64_t value) {
  begin();
  asm volatile("adr x9, 1f\n\tstr x9, %[recovery]\n\tstr %[value], [%[virt]]\n1:"
               : [recovery] "=m"(recovery)
               : [virt] "r"(virt), [value] "r"(value)
               : "x9", "memory");
  return end();
}

Probe probe_fetch(std::uint64_t virt) {
  begin();
  asm volatile("adr x9, 1f\n\tstr x9, %[recovery]\n\tblr %[virt]\n1:"
               : [recovery] "=m"(recovery)
               : [virt] "r"(virt)
               : "x9", "x30", "memory");
  return end();
}

void put_return(std::uint64_t where) {
  constexpr std::uint64_t kRetThenTrap = 0xd420'0000'd65f'03c0;  // ret; brk #0
  *at_address<volatile std::uint64_t>(where) = kRetThenTrap;
  asm volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" : : "r"(where) : "memory");
}

}  // namespace nestling::guest
