// Proves that a large .bss is zero, works, and costs no memory before it is touched; status 0.
#include <cstddef>
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/own_tables.h"
#include "guest/kit/test_device.h"

namespace nestling::guest {
namespace {

constexpr std::size_t kSize = std::size_t{64} << 20;
constexpr std::size_t kStep = 256 << 10;

constinit volatile std::uint8_t large[kSize];

std::uint8_t note_for(std::size_t at) { return static_cast<std::uint8_t>(at / kStep * 3 + 1); }

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  std::uint64_t before = 0;
  if (has_test_device()) {
    before = resident_bytes();
    expect(fault_path() == TestFaultPath::kOff || before < kSize,
           "less than {} bytes resident before the first touch, not {}", kSize, before);
  }
  for (std::size_t at = 0; at < kSize; at += kStep) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{1}, kStep / 2, kStep - 1}) {
      expect(large[at + offset] == 0, "zero in byte {}", at + offset);
    }
    large[at + kStep / 2] = note_for(at);
  }
  for (std::size_t at = 0; at < kSize; at += kStep) {
    expect(large[at + kStep / 2] == note_for(at), "what was written in byte {}", at + kStep / 2);
    expect(large[at + kStep / 2 + 1] == 0, "zero beside it");
  }
  print("{} bytes of .bss\n", kSize);
  return 0;
}

}  // namespace nestling::guest
