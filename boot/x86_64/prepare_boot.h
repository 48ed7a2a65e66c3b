// Nestling's own boot protocol on x86_64: from an image to guest memory and entry registers.
#pragma once

#include <cstddef>
#include <vector>

#include "addrspace/guest_memory.h"
#include "base/result.h"
#include "boot/boot_request.h"
#include "boot/x86_64/entry_state.h"

namespace nestling::x86_64 {

/// What a boot will look like, before anything is written.
///
///      structures: | stack | page tables | BootInfo and its lists, GDT |
struct BootPlan {
  EntryState entry;
  /// The pages of all that Nestling hands over: the lowest room from 0x1000 on that no segment
  /// uses.
  GuestPhysRange structures;
  std::vector<MemoryMapEntry> memory_map;
  /// What stands at entry.rdi and behind it.
  std::vector<std::byte> information;
};

/// Checks all that can be known without writing. Fails with kBadImage when the image is for
/// another machine, a segment is outside RAM or overlaps another, the entry is above the 4 GiB
/// that are mapped at entry, or no room is left for the structures; with kUsage when the command
/// line is longer than kMaxCommandLineSize or holds a NUL.
[[nodiscard]] Result<BootPlan> plan_boot(const BootRequest& request);

/// plan_boot, then loads the segments and writes the structures to `memory`. Also fails with
/// kHostRefused when `memory` has no byte to give where RAM should be. Nothing is written unless
/// the plan succeeds.
[[nodiscard]] Result<EntryState> prepare_boot(const BootRequest& request, GuestMemory& memory);

}  // namespace nestling::x86_64
