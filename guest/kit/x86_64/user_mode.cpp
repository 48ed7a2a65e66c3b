// Opening pages to ring 3, and the system call that comes back from it.
#include "guest/kit/user_mode.h"

#include "guest/kit/physical.h"
#include "guest/kit/x86_64/control.h"
#include "guest/kit/x86_64/interrupts.h"
#include "guest/kit/x86_64/system_call_path.h"

namespace nestling::guest {

// NOLINTNEXTLINE(google-build-using-namespace): the kit's own file for this architecture.
using namespace x86_64;  // all of this is about it

// kernel.ld puts these around the pages of user.cpp; user_mode.S defines the functions.
extern "C" {
extern std::uint8_t guest_user_text_begin[];
extern std::uint8_t guest_user_text_end[];
extern std::uint8_t guest_user_data_begin[];
extern std::uint8_t guest_user_data_end[];
std::uint64_t enter_user_mode(UserFunction function, std::uint64_t argument);
}

namespace {

void open_pages(PageTables& tables, const std::uint8_t* begin, const std::uint8_t* end,
                Rights rights) {
  for (const std::uint8_t* page = begin; page != end; page += kPageSize) {
    tables.protect(static_cast<VirtAddr>(address_of(page)), rights);
  }
}

/// How the last system call arrived.
constinit SystemCallPath last_path = SystemCallPath::kGate;

/// The one system call: RDI is the result of the function that ring 3 ran.
void on_system_call(Frame& frame) {
  last_path = SystemCallPath::kGate;
  leave_user_mode(frame.rdi);
}

/// KVM's instruction emulator does not know INT: hosts that depend on it raise #UD instead. The kit
/// takes that for the system call it was meant to be.
void on_invalid_opcode(Frame& frame) {
  const auto* const instruction = at_address<const std::uint8_t>(frame.rip);
  const bool is_from_ring3 = (frame.cs & 3) == 3;
  if (is_from_ring3 && instruction[0] == 0xcd && instruction[1] == 0x80) {
    last_path = SystemCallPath::kInvalidOpcode;
    leave_user_mode(frame.rdi);
  }
  give_up(frame);
}

}  // namespace

void open_user_mode(PageTables& tables) {
  open_pages(tables, guest_user_text_begin, guest_user_text_end, Rights::kUser);
  open_pages(tables, guest_user_data_begin, guest_user_data_end, Rights::kUser | Rights::kWrite);
  write_cr0((read_cr0() & ~(kCr0Emulation | kCr0TaskSwitched)) | kCr0MonitorCoprocessor |
            kCr0NumericError);
  write_cr4(read_cr4() | kCr4OsFxsr | kCr4OsXmmExcept);
  set_handler(Vector::kSystemCall, on_system_call);
  set_handler(Vector::kInvalidOpcode, on_invalid_opcode);
}

std::uint64_t run_in_user_mode(UserFunction function, std::uint64_t argument) {
  return enter_user_mode(function, argument);
}

SystemCallPath x86_64::last_system_call_path() { return last_path; }

}  // namespace nestling::guest
