// The ELF note in which a kernel states what it needs from the machine.
#pragma once

#include <cstdint>

#include "guest/abi.h"

namespace nestling::guest {

/// The note as it stands in the file, aligned as notes are. A kernel that needs an interrupt
/// controller writes:
///   [[gnu::section(".note.nestling"), gnu::used, gnu::aligned(4)]] constexpr NeedsNote kNeeds{
///       .flags = kNeedsIrqchip};
struct NeedsNote {
  std::uint32_t owner_size = sizeof(kNoteOwner);
  std::uint32_t description_size = sizeof(std::uint32_t);
  std::uint32_t type = kNoteNeeds;
  char owner[12] = "Nestling";  // padded to 4 bytes
  std::uint32_t flags = 0;
};
static_assert(sizeof(NeedsNote) == 28);
static_assert(sizeof(kNoteOwner) == 9);

}  // namespace nestling::guest
