// Accesses with a place to go on at when they raise #PF.
#include "guest/kit/probe.h"

#include "guest/kit/physical.h"
#include "guest/kit/x86_64/control.h"
#include "guest/kit/x86_64/interrupts.h"

namespace nestling::guest {
namespace {

using x86_64::Frame;
using x86_64::Vector;

/// Where an access that faults goes on, with which stack; none outside a probe.
struct Recovery {
  std::uint64_t rip = 0;
  std::uint64_t rsp = 0;
};
constinit Recovery recovery;
constinit Probe outcome;

void on_page_fault(Frame& frame) {
  if (recovery.rip == 0) {
    x86_64::give_up(frame);
  }
  outcome.faulted = true;
  outcome.fault_code = frame.error_code;
  outcome.fault_address = x86_64::read_cr2();
  frame.rip = recovery.rip;
  frame.rsp = recovery.rsp;
}

void begin() {
  outcome = {};
  x86_64::set_handler(Vector::kPageFault, on_page_fault);
}

Probe end() {
  recovery = {};
  return outcome;
}

}  // namespace

Probe probe_read(std::uint64_t virt) {
  begin();
  std::uint64_t value = 0;
  asm volatile(
      "leaq 1f(%%rip), %%rax; movq %%rax, %[rip]; movq %%rsp, %[rsp]; movq (%[virt]), %[value]; 1:"
      : [value] "+&r"(value), [rip] "=m"(recovery.rip), [rsp] "=m"(recovery.rsp)
      : [virt] "r"(virt)
      : "rax", "memory");
  outcome.value = value;
  return end();
}

// NOLINTNEXTLINE(bugprone-easily-swappable-parameters): named at the call.
Probe probe_write(std::uint64_t virt, std::uint64_t value) {
  begin();
  asm volatile(
      "leaq 1f(%%rip), %%rax; movq %%rax, %[rip]; movq %%rsp, %[rsp]; movq %[value], (%[virt]); 1:"
      : [rip] "=m"(recovery.rip), [rsp] "=m"(recovery.rsp)
      : [virt] "r"(virt), [value] "r"(value)
      : "rax", "memory");
  return end();
}

Probe probe_fetch(std::uint64_t virt) {
  begin();
  asm volatile("leaq 1f(%%rip), %%rax; movq %%rax, %[rip]; movq %%rsp, %[rsp]; call *%[virt]; 1:"
               : [rip] "=m"(recovery.rip), [rsp] "=m"(recovery.rsp)
               : [virt] "r"(virt)
               : "rax", "memory");
  return end();
}

void put_return(std::uint64_t where) {
  constexpr std::uint64_t kRetThenTraps = 0xcccc'cccc'cccc'ccc3;
  *at_address<volatile std::uint64_t>(where) = kRetThenTraps;
}

}  // namespace nestling::guest
