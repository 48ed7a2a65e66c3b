// Proves what an address without a device does: reads all ones in each width, swallows writes;
// status 0 unless the run is strict.
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"

namespace nestling::guest {
namespace {

/// Between RAM and the devices of every machine we make.
constexpr std::uint64_t kNobody = 0xe000'0000;

template <typename T>
void read_all_ones(std::uint64_t address) {
  const T value = *at_address<volatile T>(address);
  expect(value == static_cast<T>(~0ULL), "{} bytes of ones, not {}", sizeof(T), hex(value));
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  *at_address<volatile std::uint32_t>(kNobody) = 0x5555'5555;
  read_all_ones<std::uint8_t>(kNobody);
  read_all_ones<std::uint16_t>(kNobody);
  read_all_ones<std::uint32_t>(kNobody);
  read_all_ones<std::uint64_t>(kNobody);
  print("address without a device read as all ones\n");
  return 0;
}

}  // namespace nestling::guest
