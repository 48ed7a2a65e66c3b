// Proves what a port without a device does: reads all ones in each width, swallows writes; status 0
// unless the run is strict.
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/x86_64/ports.h"

namespace nestling::guest {

int kernel_main(const BootInfo& /*info*/) {
  constexpr x86_64::Port kNobody{0x1234};
  x86_64::out(kNobody, std::uint8_t{0x55});
  expect(x86_64::in<std::uint8_t>(kNobody) == 0xff, "a byte of ones");
  expect(x86_64::in<std::uint16_t>(kNobody) == 0xffff, "two bytes of ones");
  expect(x86_64::in<std::uint32_t>(kNobody) == 0xffff'ffff, "four bytes of ones");
  print("port without a device read as all ones\n");
  return 0;
}

}  // namespace nestling::guest
