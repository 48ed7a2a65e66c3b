// From the start code to the kernel: constructors, a look at the magic number, the exit status.
#include "guest/kit/start.h"

#include "guest/kit/boot_info.h"
#include "guest/kit/console.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"
#include "guest/kit/run_end.h"

namespace nestling::guest {
namespace {

using Constructor = void (*)();

constinit const BootInfo* handed_over = nullptr;

}  // namespace

// The linker script puts these two around the list of constructors.
extern "C" {
extern Constructor guest_constructors_begin[];
extern Constructor guest_constructors_end[];
}

const BootInfo& boot_info() { return *handed_over; }

void guest_start(const BootInfo* info) {
  if (info->magic != kBootInfoMagic) {
    print("no boot information at {}\n", hex(address_of(info)));
    end_run(kStatusBadBootInfo);
  }
  handed_over = info;
  for (const Constructor* each = guest_constructors_begin; each != guest_constructors_end; ++each) {
    (*each)();
  }
  end_run(static_cast<std::uint32_t>(kernel_main(*info)));
}

}  // namespace nestling::guest
