// Proves that each exception that software can raise arrives with the right vector, error code,
// RIP, privilege level and CR2: raises them in ring 0 and in ring 3; status 0.
//
// Not raised: what only hardware or a nested monitor sends (NMI, #MC, #VE, #HV, #VC, #SX), #CP
// (needs shadow stacks), #BR (BOUND does not exist in 64-bit mode), #TS. Where the host's KVM does
// not know software interrupts (see kit/x86_64/system_call_path.h) the cases made of them are left
// out, and a processor that is software itself may not raise #XM and #AC; the kernel says so.
#include <cstdint>

#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"
#include "guest/kit/user_mode.h"
#include "guest/kit/x86_64/control.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/system_call_path.h"

namespace nestling::guest {
namespace {

using x86_64::Frame;
using x86_64::Vector;

/// A function of triggers.S: where it starts, which RIP the CPU reports, where to go on.
struct Trigger {
  UserFunction entry;
  std::uint64_t reported;
  std::uint64_t resume;
};

extern "C" {
extern Trigger kernel_divide, kernel_invalid_opcode, kernel_single_step, kernel_breakpoint;
extern Trigger kernel_selector_beyond_gdt, kernel_non_canonical;
extern Trigger kernel_segment_not_present, kernel_stack_segment_not_present;
extern Trigger kernel_read, kernel_write, kernel_device_not_available, kernel_double_fault;
extern Trigger user_divide, user_single_step, user_breakpoint, user_overflow;
extern Trigger user_invalid_opcode, user_privileged, user_port;
extern Trigger user_read, user_write, user_x87_error, user_simd_error;
extern Trigger user_alignment;
extern x86_64::TablePointer idt_pointer;
}

constexpr std::uint64_t kNotMapped = 0x7fff'dead'b000;
constexpr std::uint64_t kReadOnly = 0x7fff'0000'0000;
constexpr std::uint64_t kKernelOnly = 0x7fff'0000'1000;

// Error codes of a page fault, or'ed together.
constexpr std::uint64_t kPresent = 1;
constexpr std::uint64_t kWriting = 2;
constexpr std::uint64_t kInRing3 = 4;

struct Case {
  std::string_view what;
  const Trigger& trigger;
  Vector vector;
  std::uint64_t error_code = 0;
  std::uint64_t address = 0;  // what the trigger accesses: CR2 of a page fault
  bool is_optional = false;   // processors exist that do not raise it
};

constexpr Case kKernelCases[] = {
    {"division by zero", kernel_divide, Vector::kDivideError},
    {"single step", kernel_single_step, Vector::kDebug},
    {"UD2", kernel_invalid_opcode, Vector::kInvalidOpcode},
    {"segment not present", kernel_segment_not_present, Vector::kSegmentNotPresent, 0x38},
    {"stack not present", kernel_stack_segment_not_present, Vector::kStackFault, 0x38},
    {"selector beyond the GDT", kernel_selector_beyond_gdt, Vector::kGeneralProtection, 0x1230},
    {"address not canonical", kernel_non_canonical, Vector::kGeneralProtection},
    {"read, not mapped", kernel_read, Vector::kPageFault, 0, kNotMapped},
    {"write, not mapped", kernel_write, Vector::kPageFault, kWriting, kNotMapped},
    {"write, read-only", kernel_write, Vector::kPageFault, kWriting | kPresent, kReadOnly},
};

constexpr Case kUserCases[] = {
    {"division by zero", user_divide, Vector::kDivideError},
    {"single step", user_single_step, Vector::kDebug},
    {"INT3", user_breakpoint, Vector::kBreakpoint},
    {"UD2", user_invalid_opcode, Vector::kInvalidOpcode},
    {"HLT", user_privileged, Vector::kGeneralProtection},
    {"OUT", user_port, Vector::kGeneralProtection},
    {"read, not mapped", user_read, Vector::kPageFault, kInRing3, kNotMapped},
    {"read, kernel's", user_read, Vector::kPageFault, kInRing3 | kPresent, kKernelOnly},
    {"write, not mapped", user_write, Vector::kPageFault, kInRing3 | kWriting, kNotMapped},
    {"write, read-only", user_write, Vector::kPageFault, kInRing3 | kWriting | kPresent, kReadOnly},
    {"x87 division by zero", user_x87_error, Vector::kX87Error},
    {"SSE division by zero", user_simd_error, Vector::kSimdError, 0, 0, true},
    {"unaligned access", user_alignment, Vector::kAlignmentCheck, 0, 0, true},
};

constexpr Case kDeviceNotAvailable{"FNINIT, CR0.TS set", kernel_device_not_available,
                                   Vector::kDeviceNotAvailable};
constexpr Case kKernelBreakpoint{"INT3", kernel_breakpoint, Vector::kBreakpoint};
constexpr Case kOverflow{"INT 4", user_overflow, Vector::kOverflow};
constexpr Case kDoubleFault{"#GP without a gate", kernel_double_fault, Vector::kDoubleFault};

/// What the handler saw of the case under way.
struct Seen {
  std::uint64_t resume = 0;
  x86_64::Handler handler_before = nullptr;
  Frame frame{};
  std::uint64_t cr2 = 0;
  unsigned count = 0;
};
constinit Seen seen{};

/// Handles one exception: a second one is nobody's.
void record(Frame& frame) {
  constexpr std::uint64_t kTrapAndAlignmentCheck = 0x40100;
  seen.frame = frame;
  seen.cr2 = x86_64::read_cr2();
  ++seen.count;
  x86_64::set_handler(static_cast<Vector>(frame.vector), seen.handler_before);
  frame.rip = seen.resume;
  frame.rflags &= ~kTrapAndAlignmentCheck;
}

enum class Ring : std::uint8_t { kKernel = 0, kUser = 3 };

void run(const Case& each, Ring ring) {
  seen = Seen{.resume = each.trigger.resume};
  seen.handler_before = x86_64::set_handler(each.vector, record);
  if (ring == Ring::kUser) {
    static_cast<void>(run_in_user_mode(each.trigger.entry, each.address));
  } else {
    each.trigger.entry(each.address);
  }

  if (seen.count == 0 && each.is_optional) {
    print("{} in ring {}: not raised by this processor\n", each.what, static_cast<unsigned>(ring));
    return;
  }
  const Frame& frame = seen.frame;
  print("{} in ring {}: {}\n", each.what, static_cast<unsigned>(ring),
        x86_64::vector_name(frame.vector));
  expect(seen.count == 1, "an exception");
  expect(frame.vector == static_cast<std::uint64_t>(each.vector), "vector {}, not {}",
         static_cast<unsigned>(each.vector), frame.vector);
  expect(frame.error_code == each.error_code, "error code {}, not {}", hex(each.error_code),
         hex(frame.error_code));
  expect(frame.rip == each.trigger.reported, "rip {}, not {}", hex(each.trigger.reported),
         hex(frame.rip));
  expect((frame.cs & 3) == static_cast<std::uint64_t>(ring), "ring {}, not {}",
         static_cast<unsigned>(ring), frame.cs & 3);
  expect(each.vector != Vector::kPageFault || seen.cr2 == each.address, "cr2 {}, not {}",
         hex(each.address), hex(seen.cr2));
}

/// #GP, whose gate the limit of the IDT cuts off, becomes a double fault.
void run_double_fault() {
  const x86_64::TablePointer up_to_double_fault{
      static_cast<std::uint16_t>(16 * (static_cast<unsigned>(Vector::kDoubleFault) + 1) - 1),
      idt_pointer.base};
  x86_64::load_idt(up_to_double_fault);
  run(kDoubleFault, Ring::kKernel);
  x86_64::load_idt(idt_pointer);
}

void run_device_not_available() {
  x86_64::write_cr0(x86_64::read_cr0() | x86_64::kCr0TaskSwitched);
  run(kDeviceNotAvailable, Ring::kKernel);
  x86_64::write_cr0(x86_64::read_cr0() & ~x86_64::kCr0TaskSwitched);
}

void set_up(PageTables& tables, TablePages& pages) {
  const auto page = static_cast<PhysAddr>(address_of(pages.take()));
  tables.map(static_cast<VirtAddr>(kReadOnly), page, Rights::kUser);
  tables.map(static_cast<VirtAddr>(kKernelOnly), page, Rights::kWrite);
  open_user_mode(tables);
  x86_64::write_cr0(x86_64::read_cr0() | x86_64::kCr0WriteProtect | x86_64::kCr0AlignmentMask);
}

}  // namespace

int kernel_main(const BootInfo& info) {
  TablePages pages(info);
  PageTables tables(pages);
  set_up(tables, pages);
  for (const Case& each : kKernelCases) {
    run(each, Ring::kKernel);
  }
  run_double_fault();
  run_device_not_available();
  for (const Case& each : kUserCases) {
    run(each, Ring::kUser);
  }
  if (x86_64::last_system_call_path() == x86_64::SystemCallPath::kGate) {
    run(kOverflow, Ring::kUser);
    run(kKernelBreakpoint, Ring::kKernel);
  } else {
    print("left out, the host's KVM does not know them: INT 4, INT3 in ring 0\n");
  }
  print("all exceptions as expected\n");
  return 0;
}

}  // namespace nestling::guest
