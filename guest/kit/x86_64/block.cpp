// Blocks of memory through the string instructions.
#include "guest/kit/block.h"

namespace nestling::guest {

// NOLINTBEGIN(bugprone-easily-swappable-parameters): the order of memcpy() and memset().
void copy_forwards(void* to, const void* from, std::size_t size) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

void fill(void* to, std::uint8_t value, std::size_t size) {
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
}

// NOLINTEND(bugprone-easily-swappable-parameters)

}  // namespace nestling::guest
