// Nestling's boot protocol on arm64: from an image to guest memory and entry registers.
#pragma once

#include <cstddef>
#include <vector>

#include "addrspace/guest_memory.h"
#include "base/result.h"
#include "boot/aarch64/entry_state.h"
#include "boot/boot_request.h"

namespace nestling::aarch64 {

/// What a boot will look like, before anything is written.
///
///      structures: | stack | vectors | device tree | BootInfo, memory map, devices, command line |
struct BootPlan {
  EntryState entry;
  /// The pages of all that Nestling hands over: the lowest room in RAM that no segment uses.
  GuestPhysRange structures;
  std::vector<MemoryMapEntry> memory_map;
  /// What stands at entry.x0.
  std::vector<std::byte> device_tree;
  /// What stands at entry.x1 and behind it.
  std::vector<std::byte> information;
  /// What stands at entry.vbar; empty, and entry.vbar is 0, where an image that fills the first
  /// megabyte of RAM pushes the structures further up than make_boot_vectors() allows.
  std::vector<std::byte> vectors;
};

/// Checks all that can be known without writing. Fails with kBadImage when the image is for
/// another machine, a segment is outside RAM or overlaps another, or no room is left for the
/// structures below 3 GiB; with kUsage when the command line is longer than kMaxCommandLineSize or
/// holds a NUL.
[[nodiscard]] Result<BootPlan> plan_boot(const BootRequest& request);

/// plan_boot, then loads the segments and writes the structures to `memory`. Also fails with
/// kHostRefused when `memory` has no byte to give where RAM should be. Nothing is written unless
/// the plan succeeds.
[[nodiscard]] Result<EntryState> prepare_boot(const BootRequest& request, GuestMemory& memory);

}  // namespace nestling::aarch64
