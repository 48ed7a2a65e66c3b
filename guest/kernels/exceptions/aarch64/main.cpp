// Proves that each exception that software can raise arrives with the right class, syndrome, PC,
// exception level and fault address: raises them in EL1 and in EL0; status 0.
//
// Not raised: what only hardware or a debugger sends (SError, watchpoints, breakpoints), traps to
// EL2, SP alignment in EL1 (the handler would need the stack), what needs later extensions. A
// processor that is software itself may not check SP; the kernel says so.
#include <cstdint>

#include "guest/kit/aarch64/control.h"
#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/boot_info.h"
#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"
#include "guest/kit/user_mode.h"

namespace nestling::guest {
namespace {

using aarch64::ExceptionClass;
using aarch64::Frame;

/// A function of triggers.S: where it starts, which PC the CPU reports (0: the argument), where to
/// go on.
struct Trigger {
  UserFunction entry;
  std::uint64_t reported;
  std::uint64_t resume;
};

extern "C" {
extern Trigger kernel_undefined, kernel_breakpoint, kernel_system_call, kernel_illegal_state;
extern Trigger kernel_read, kernel_write, kernel_jump, kernel_floating_point;
extern Trigger user_undefined, user_breakpoint, user_interrupt_mask, user_wait, user_counter;
extern Trigger user_read, user_write, user_jump, user_stack_alignment, user_single_step;
}

constexpr std::uint64_t kNotMapped = 0x7fff'dead'b000;
constexpr std::uint64_t kReadOnly = 0x7fff'0000'0000;
constexpr std::uint64_t kKernelOnly = 0x7fff'0000'1000;

// Syndromes of aborts, or'ed together (Arm ARM, "ISS encoding for an exception from a Data Abort").
constexpr std::uint64_t kTranslationLevel1 = 0x05;
constexpr std::uint64_t kPermissionLevel3 = 0x0f;
constexpr std::uint64_t kAlignment = 0x21;
constexpr std::uint64_t kWriting = 0x40;

struct Case {
  std::string_view what;
  const Trigger& trigger;
  ExceptionClass exception;
  std::uint64_t syndrome = 0;
  std::uint64_t address = 0;  // what the trigger is called with: FAR of an abort
  bool is_optional = false;   // processors exist that do not raise it
};

constexpr Case kKernelCases[] = {
    {"UDF", kernel_undefined, ExceptionClass::kUnknown},
    {"BRK", kernel_breakpoint, ExceptionClass::kBrk, 0x123},
    {"SVC", kernel_system_call, ExceptionClass::kSystemCall, 0x456},
    {"ERET to EL2", kernel_illegal_state, ExceptionClass::kIllegalState},
    {"read, not mapped", kernel_read, ExceptionClass::kDataAbort, kTranslationLevel1, kNotMapped},
    {"write, not mapped", kernel_write, ExceptionClass::kDataAbort, kTranslationLevel1 | kWriting,
     kNotMapped},
    {"write, read-only", kernel_write, ExceptionClass::kDataAbort, kPermissionLevel3 | kWriting,
     kReadOnly},
    {"jump, not mapped", kernel_jump, ExceptionClass::kInstructionAbort, kTranslationLevel1,
     kNotMapped},
    {"jump, not a multiple of 4", kernel_jump, ExceptionClass::kPcAlignment, 0, kKernelOnly + 2},
};

constexpr Case kUserCases[] = {
    {"UDF", user_undefined, ExceptionClass::kUnknown},
    {"BRK", user_breakpoint, ExceptionClass::kBrk, 0x321},
    {"MSR DAIFSet", user_interrupt_mask, ExceptionClass::kTrappedSystemRegister},
    {"WFI", user_wait, ExceptionClass::kTrappedWait},
    {"MRS CNTVCT_EL0", user_counter, ExceptionClass::kTrappedSystemRegister},
    {"read, not mapped", user_read, ExceptionClass::kDataAbortFromEl0, kTranslationLevel1,
     kNotMapped},
    {"read, kernel's", user_read, ExceptionClass::kDataAbortFromEl0, kPermissionLevel3,
     kKernelOnly},
    {"write, not mapped", user_write, ExceptionClass::kDataAbortFromEl0,
     kTranslationLevel1 | kWriting, kNotMapped},
    {"write, read-only", user_write, ExceptionClass::kDataAbortFromEl0,
     kPermissionLevel3 | kWriting, kReadOnly},
    {"jump, kernel's", user_jump, ExceptionClass::kInstructionAbortFromEl0, kPermissionLevel3,
     kKernelOnly},
    {"unaligned stack", user_stack_alignment, ExceptionClass::kSpAlignment, 0, 0, true},
};

constexpr Case kFloatingPointTrap{"FMOV, CPACR_EL1.FPEN clear", kernel_floating_point,
                                  ExceptionClass::kFloatingPointTrap};
constexpr Case kKernelAlignment{"unaligned read", kernel_read, ExceptionClass::kDataAbort,
                                kAlignment, kReadOnly + 1};
constexpr Case kUserAlignment{"unaligned read", user_read, ExceptionClass::kDataAbortFromEl0,
                              kAlignment, kReadOnly + 1};
constexpr Case kSingleStep{"single step", user_single_step, ExceptionClass::kSingleStepFromEl0};

/// What the handler saw of the case under way.
struct Seen {
  std::uint64_t resume = 0;
  aarch64::Handler handler_before = nullptr;
  Frame frame{};
  unsigned count = 0;
};
constinit Seen seen{};

/// Handles one exception: a second one is nobody's.
void record(Frame& frame) {
  constexpr std::uint64_t kIllegalAndStep = 3U << 20;
  seen.frame = frame;
  ++seen.count;
  aarch64::set_handler(aarch64::exception_class(frame), seen.handler_before);
  frame.pc = seen.resume;
  frame.pstate &= ~kIllegalAndStep;
  aarch64::write_register<aarch64::kMdscr>(aarch64::read_register<aarch64::kMdscr>() &
                                           ~aarch64::kMdscrSingleStep);
}

enum class Level : std::uint8_t { kEl0 = 0, kEl1 = 1 };

bool is_abort(ExceptionClass exception) {
  return exception == ExceptionClass::kDataAbort ||
         exception == ExceptionClass::kDataAbortFromEl0 ||
         exception == ExceptionClass::kInstructionAbort ||
         exception == ExceptionClass::kInstructionAbortFromEl0 ||
         exception == ExceptionClass::kPcAlignment;
}

/// The part of the syndrome that the cases state.
std::uint64_t told(ExceptionClass exception, std::uint64_t syndrome) {
  switch (exception) {
    case ExceptionClass::kBrk:
    case ExceptionClass::kSystemCall:
      return syndrome & 0xffff;  // the instruction's number
    case ExceptionClass::kDataAbort:
    case ExceptionClass::kDataAbortFromEl0:
      return syndrome & 0x7f;  // status and direction
    case ExceptionClass::kInstructionAbort:
    case ExceptionClass::kInstructionAbortFromEl0:
      return syndrome & 0x3f;
    default:
      return 0;
  }
}

void run(const Case& each, Level level) {
  seen = Seen{.resume = each.trigger.resume};
  seen.handler_before = aarch64::set_handler(each.exception, record);
  if (level == Level::kEl0) {
    static_cast<void>(run_in_user_mode(each.trigger.entry, each.address));
  } else {
    each.trigger.entry(each.address);
  }
  if (seen.count == 0 && each.is_optional) {
    aarch64::set_handler(each.exception, seen.handler_before);
    print("{} in EL{}: not raised by this processor\n", each.what, static_cast<unsigned>(level));
    return;
  }
  const Frame& frame = seen.frame;
  const ExceptionClass exception = aarch64::exception_class(frame);
  print("{} in EL{}: {}\n", each.what, static_cast<unsigned>(level),
        aarch64::class_name(exception));
  expect(seen.count == 1, "an exception");
  expect(exception == each.exception, "class {}, not {}", static_cast<unsigned>(each.exception),
         static_cast<unsigned>(exception));
  const std::uint64_t syndrome = told(exception, aarch64::syndrome(frame));
  expect(syndrome == each.syndrome, "syndrome {}, not {}", hex(each.syndrome), hex(syndrome));
  const std::uint64_t reported = each.trigger.reported != 0 ? each.trigger.reported : each.address;
  expect(frame.pc == reported, "pc {}, not {}", hex(reported), hex(frame.pc));
  expect(aarch64::exception_level(frame) == static_cast<std::uint64_t>(level), "EL{}, not EL{}",
         static_cast<unsigned>(level), aarch64::exception_level(frame));
  expect(!is_abort(exception) || frame.far == each.address, "far {}, not {}", hex(each.address),
         hex(frame.far));
}

void run_floating_point_trap() {
  constexpr aarch64::SystemRegister kCpacr{3, 0, 1, 0, 2};
  const std::uint64_t before = aarch64::read_register<kCpacr>();
  aarch64::write_register<kCpacr>(0);
  run(kFloatingPointTrap, Level::kEl1);
  aarch64::write_register<kCpacr>(before);
}

void run_alignment_checks() {
  const std::uint64_t before = aarch64::read_register<aarch64::kSctlr>();
  aarch64::write_register<aarch64::kSctlr>(before | aarch64::kSctlrAlignmentCheck);
  run(kKernelAlignment, Level::kEl1);
  run(kUserAlignment, Level::kEl0);
  aarch64::write_register<aarch64::kSctlr>(before);
}

/// EL0 asks for it by a BRK, whose handler has it step over the next instruction.
void begin_to_step(Frame& frame) {
  constexpr std::uint64_t kStep = 1U << 21;
  aarch64::write_register<aarch64::kMdscr>(aarch64::read_register<aarch64::kMdscr>() |
                                           aarch64::kMdscrSingleStep);
  frame.pstate |= kStep;
  frame.pc += sizeof(std::uint32_t);
}

void run_single_step() {
  aarch64::set_handler(ExceptionClass::kBrk, begin_to_step);
  run(kSingleStep, Level::kEl0);
  aarch64::set_handler(ExceptionClass::kBrk, nullptr);
}

void set_up(PageTables& tables, TablePages& pages) {
  constexpr std::uint64_t kUserStackAlignment = 1U << 4;  // SCTLR_EL1.SA0
  constexpr std::uint64_t kUserMayWait = 1U << 16;        // SCTLR_EL1.nTWI
  const auto page = static_cast<PhysAddr>(address_of(pages.take()));
  tables.map(static_cast<VirtAddr>(kReadOnly), page, Rights::kUser);
  tables.map(static_cast<VirtAddr>(kKernelOnly), page, Rights::kWrite);
  open_user_mode(tables);
  aarch64::write_register<aarch64::kSctlr>(
      (aarch64::read_register<aarch64::kSctlr>() | kUserStackAlignment) & ~kUserMayWait);
}

}  // namespace

int kernel_main(const BootInfo& info) {
  TablePages pages(info);
  PageTables tables(pages);
  set_up(tables, pages);
  for (const Case& each : kKernelCases) {
    run(each, Level::kEl1);
  }
  run_floating_point_trap();
  for (const Case& each : kUserCases) {
    run(each, Level::kEl0);
  }
  run_alignment_checks();
  run_single_step();
  print("all exceptions as expected\n");
  return 0;
}

}  // namespace nestling::guest
