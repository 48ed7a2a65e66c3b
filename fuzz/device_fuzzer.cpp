// Fuzzes every device through its bus: no bytes a guest can think of may break a promise.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/support/device_zoo.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nestling::DeviceZoo zoo;
  zoo.run(std::span(data, size));
  zoo.check_that_all_can_be_silenced();
  return 0;
}
