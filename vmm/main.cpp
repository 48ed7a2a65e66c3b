// The program: sets the process up, and hands over to the command line.
#include <malloc.h>
#include <pthread.h>

#include <cstdio>
#include <exception>

#include "vmm/cli/command_line.h"
#include "vmm/verdict.h"

namespace nestling {
namespace {

/// Smaller than a huge page: a host whose huge pages are "always" on would give one to each stack.
void keep_thread_stacks_small() {
  constexpr std::size_t kStackSize = 1 << 20;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) == 0) {
    if (pthread_attr_setstacksize(&attributes, kStackSize) == 0) {
      (void)pthread_setattr_default_np(&attributes);  // as it was: costs memory, nothing else
    }
    pthread_attr_destroy(&attributes);
  }
}

}  // namespace
}  // namespace nestling

int main(int argc, char** argv) {
  // The control thread hardly allocates: a heap of its own would only cost address space and calls.
  mallopt(M_ARENA_MAX, 1);
  nestling::keep_thread_stacks_small();
  try {
    return nestling::command_line(argc, argv);
  } catch (const std::exception& error) {
    // Ours never throws; a library did, and memory is the likely reason.
    std::fprintf(stderr, "nestling: bug: %s\n", error.what());
    return nestling::exit_code(nestling::ErrorKind::kBug);
  }
}
