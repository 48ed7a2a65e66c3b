// Blocks of memory, 8 bytes at a time and the rest one by one.
#include "guest/kit/block.h"

namespace nestling::guest {

// In assembly, or the compiler would make calls of memcpy() and memset() of the loops.
// NOLINTBEGIN(bugprone-easily-swappable-parameters): the order of memcpy() and memset().
void copy_forwards(void* to, const void* from, std::size_t size) {
  std::uint64_t word = 0;
  std::size_t words = size / sizeof(word);
  std::size_t rest = size % sizeof(word);
  asm volatile(
      "1: cbz %[words], 2f\n"
      "   ldr %[word], [%[from]], #8\n"
      "   str %[word], [%[to]], #8\n"
      "   sub %[words], %[words], #1\n"
      "   b 1b\n"
      "2: cbz %[rest], 3f\n"
      "   ldrb %w[word], [%[from]], #1\n"
      "   strb %w[word], [%[to]], #1\n"
      "   sub %[rest], %[rest], #1\n"
      "   b 2b\n"
      "3:"
      : [to] "+r"(to), [from] "+r"(from), [words] "+r"(words), [rest] "+r"(rest), [word] "=&r"(word)
      :
      : "memory");
}

void fill(void* to, std::uint8_t value, std::size_t size) {
  const std::uint64_t word = value * 0x0101'0101'0101'0101ULL;
  std::size_t words = size / sizeof(word);
  std::size_t rest = size % sizeof(word);
  asm volatile(
      "1: cbz %[words], 2f\n"
      "   str %[word], [%[to]], #8\n"
      "   sub %[words], %[words], #1\n"
      "   b 1b\n"
      "2: cbz %[rest], 3f\n"
      "   strb %w[word], [%[to]], #1\n"
      "   sub %[rest], %[rest], #1\n"
      "   b 2b\n"
      "3:"
      : [to] "+r"(to), [words] "+r"(words), [rest] "+r"(rest)
      : [word] "r"(word)
      : "memory");
}
// NOLINTEND(bugprone-easily-swappable-parameters)

}  // namespace nestling::guest
