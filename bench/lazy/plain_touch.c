// What memory costs without a VM: a process that touches anonymous memory for the first time, as
// the first-touch kernel does in its guest.
// usage: plain_touch small|huge STRIDE COUNT; prints "COUNT touches in N ticks of 1000000000 a
// second".
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fputs("usage: plain_touch small|huge STRIDE COUNT\n", stderr);
    return 64;
  }
  const uint64_t huge_page = 2 << 20;
  const uint64_t stride = strtoull(argv[2], NULL, 0);
  const uint64_t count = strtoull(argv[3], NULL, 0);
  const size_t size = stride * count + huge_page;
  uint8_t* memory =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED ||
      madvise(memory, size, strcmp(argv[1], "huge") == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0) {
    perror("memory to touch");
    return 71;
  }
  uint8_t* const start = memory + (-(uintptr_t)memory & (huge_page - 1));
  const uint64_t before = nanoseconds();
  for (uint64_t i = 0; i < count; ++i) {
    *(volatile uint64_t*)(start + i * stride) = i + 1;
  }
  const uint64_t after = nanoseconds();
  printf("%llu touches in %llu ticks of 1000000000 a second\n", (unsigned long long)count,
         (unsigned long long)(after - before));
  return 0;
}
