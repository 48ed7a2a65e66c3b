// Opening pages to EL0, and the system call that comes back from it.
#include "guest/kit/user_mode.h"

#include "guest/kit/aarch64/interrupts.h"
#include "guest/kit/physical.h"

namespace nestling::guest {

// kernel.ld puts these around the pages of user.cpp; user_mode.S defines the function.
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

/// The one system call: X0 is the result of the function that EL0 ran.
void on_system_call(aarch64::Frame& frame) { leave_user_mode(frame.x[0]); }

}  // namespace

void open_user_mode(PageTables& tables) {
  open_pages(tables, guest_user_text_begin, guest_user_text_end, Rights::kUser);
  open_pages(tables, guest_user_data_begin, guest_user_data_end, Rights::kUser | Rights::kWrite);
  aarch64::set_handler(aarch64::ExceptionClass::kSystemCall, on_system_call);
}

std::uint64_t run_in_user_mode(UserFunction function, std::uint64_t argument) {
  return enter_user_mode(function, argument);
}

}  // namespace nestling::guest
