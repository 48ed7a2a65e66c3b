// ExtraAreas: what the command line adds to a machine's memory, and takes out of it.
#pragma once

#include <string>
#include <vector>

#include "addrspace/range.h"

namespace nestling {

/// Read-only memory with the bytes of a file, and zeros up to a whole page.
struct RomSpec {
  GuestPhysAddr address;
  std::string path;
};

/// The memory at `source`, as long as `range`, once more at `range`.
struct AliasSpec {
  GuestPhysRange range;
  GuestPhysAddr source;
};

struct ExtraAreas {
  std::vector<RomSpec> roms;
  std::vector<AliasSpec> aliases;
  std::vector<GuestPhysRange> holes;  ///< of RAM: nothing is there
};

}  // namespace nestling
