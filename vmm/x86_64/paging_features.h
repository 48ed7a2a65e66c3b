// The paging features of a guest, which is offered the host's.
#pragma once

#include "addrspace/x86_64/stage1_format.h"

namespace nestling::x86_64 {

/// Asks the host's CPUID: never more than 52 address bits.
[[nodiscard]] PagingFeatures paging_features();

}  // namespace nestling::x86_64
