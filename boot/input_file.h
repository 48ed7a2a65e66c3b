// Input files as bytes in memory.
#pragma once

#include <string>

#include "addrspace/host_mapping.h"
#include "base/result.h"

namespace nestling {

/// The contents of the regular file at `path`. Fails with kNoInput when it is missing, unreadable
/// or no regular file, with kBadImage when it is empty.
[[nodiscard]] Result<HostMapping> read_input_file(const std::string& path);

}  // namespace nestling
