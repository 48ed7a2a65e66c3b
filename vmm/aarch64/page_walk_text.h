// A page walk told line by line: each table, index, descriptor and flag, and where and why it
// stops.
#pragma once

#include <string>
#include <string_view>

#include "vmm/aarch64/guest_view.h"

namespace nestling::aarch64 {

/// Several lines, the first naming `what` ("pc") and the address, each ended by a newline. The
/// access is one by the code that runs.
[[nodiscard]] std::string page_walk_text(GuestView& view, std::string_view what,
                                         GuestVirtAddr address, AccessKind kind);

}  // namespace nestling::aarch64
