// A page walk told line by line: each table, index, entry and flag, and where and why it stops.
#pragma once

#include <string>
#include <string_view>

#include "vmm/x86_64/guest_view.h"

namespace nestling::x86_64 {

/// Several lines, the first naming `what` ("rip") and the address, each ended by a newline. The
/// access is one by the code that runs.
[[nodiscard]] std::string page_walk_text(GuestView& view, std::string_view what,
                                         GuestVirtAddr address, AccessKind kind);

/// Why a walk did not arrive, in a few words: "its PD entry is not present".
[[nodiscard]] std::string describe(const GuestView& view, const GuestWalk& walk);

/// "4-level paging" and so on.
[[nodiscard]] std::string_view describe(PagingMode mode);

}  // namespace nestling::x86_64
