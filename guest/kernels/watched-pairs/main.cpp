// Touches a page by instructions that the processor does not describe to a hypervisor: of two
// registers, with write-back, of SIMD registers, over the page's edge; for a run that watches the
// page. Status 0 when memory and registers hold what they must, watched or not.
#include <cstddef>
#include <cstdint>

#include "guest/kit/expect.h"
#include "guest/kit/kernel.h"
#include "guest/kit/physical.h"

namespace nestling::guest {

constexpr std::size_t kPageSize = 4096;
constexpr std::size_t kWords = kPageSize / sizeof(std::uint64_t);

/// --watch names it; the first page of two.
// NOLINTNEXTLINE(misc-use-internal-linkage)
alignas(kPageSize) std::uint64_t watched[2 * kWords];

namespace {

void pairs() {
  std::uint64_t first = 0x1111;
  std::uint64_t second = 0x2222;
  asm volatile("stp %0, %1, [%2]" : : "r"(first), "r"(second), "r"(&watched[1]) : "memory");
  expect(watched[1] == 0x1111 && watched[2] == 0x2222, "a pair to be stored");
  first = second = 0;
  const std::uint64_t* place = &watched[3];
  asm volatile("ldp %0, %1, [%2, #-16]!" : "=&r"(first), "=&r"(second), "+r"(place) : : "memory");
  expect(first == 0x1111 && second == 0x2222, "a pair to be loaded: {} {}", hex(first),
         hex(second));
  expect(place == &watched[1], "the base to be where the pair is");
  asm volatile("stp xzr, xzr, [%0], #16" : "+r"(place) : : "memory");
  expect(watched[1] == 0 && watched[2] == 0, "zeros to be stored");
  expect(place == &watched[3], "the base to be behind the pair");
}

void extensions() {
  asm volatile("str %w0, [%1]" : : "r"(0xffff'fffeU), "r"(&watched[4]) : "memory");
  std::uint64_t value = 0;
  const void* place = &watched[4];
  asm volatile("ldrsh %0, [%1], #2" : "=&r"(value), "+r"(place) : : "memory");
  expect(value == 0xffff'ffff'ffff'fffe, "16 bits to be extended to 64, not {}", hex(value));
  asm volatile("ldrsb %w0, [%1, #-2]!" : "=&r"(value), "+r"(place) : : "memory");
  expect(value == 0xffff'fffe, "8 bits to be extended to 32, not {}", hex(value));
  expect(place == &watched[4], "the base to be moved there and back");
}

void simd_registers() {
  alignas(16) std::uint64_t words[4] = {0x0102'0304'0506'0708, 0x1112'1314'1516'1718, 0, 0};
  asm volatile(
      ".arch_extension simd\n\t"
      "ldr q3, [%0]\n\t"
      "str q3, [%1]\n\t"
      "movi v3.16b, #0xff\n\t"
      "ldr q3, [%1]\n\t"
      "str q3, [%0, #16]"
      :
      : "r"(words), "r"(&watched[6])
      : "memory");
  expect(watched[6] == words[0] && watched[7] == words[1], "128 bits to be stored");
  expect(words[2] == words[0] && words[3] == words[1], "128 bits to be loaded");
  asm volatile(
      ".arch_extension simd\n\t"
      "movi v3.16b, #0xff\n\t"
      "ldr s3, [%1]\n\t"
      "str q3, [%0]"
      :
      : "r"(words), "r"(&watched[6])
      : "memory");
  expect(words[0] == 0x0506'0708 && words[1] == 0, "32 bits to be loaded, and zeros: {} {}",
         hex(words[0]), hex(words[1]));
}

/// Half of each access is in the page that nobody watches.
void edge() {
  asm volatile("stp %0, %1, [%2]"
               :
               : "r"(0x3333ULL), "r"(0x4444ULL), "r"(&watched[kWords - 1])
               : "memory");
  expect(watched[kWords - 1] == 0x3333 && watched[kWords] == 0x4444, "a pair around the edge");
  void* place = at_address<std::byte>(address_of(&watched[kWords]) - 4);
  asm volatile("str %1, [%0], #8" : "+r"(place) : "r"(0x1122'3344'5566'7788ULL) : "memory");
  expect(watched[kWords - 1] == 0x5566'7788'0000'3333 && watched[kWords] == 0x1122'3344,
         "a word around the edge: {} {}", hex(watched[kWords - 1]), hex(watched[kWords]));
}

}  // namespace

int kernel_main(const BootInfo& /*info*/) {
  pairs();
  extensions();
  simd_registers();
  edge();
  print("watched or not, pairs are pairs\n");
  return 0;
}

}  // namespace nestling::guest
