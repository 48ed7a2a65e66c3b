// Whether the VMM translates as the processor does: accesses made, and compared with what the test
// device says of them.
#pragma once

#include <cstdint>
#include <string_view>

#include "guest/kit/own_tables.h"

namespace nestling::guest {

/// A page or block as the kernel's tables map it.
struct MappedPage {
  std::string_view name;
  PageRights rights = PageRights::kReadOnly;
  std::uint64_t size = kSmallPage;
};

/// The access of 8 bytes as the kernel makes it, against what the VMM says of it; `access` is
/// kTestWrite, kTestFetch or 0. True when it was allowed. Ends the run where the two differ.
[[nodiscard]] bool compare_translation(std::uint64_t virt, std::uint64_t access);

/// Every kind of access at the beginning, in the middle and at the end of the page at `virt`, which
/// shows memory at `phys`. That is mapped where it is, too, and changed.
void check_translations(const MappedPage& each, std::uint64_t virt, std::uint64_t phys);

}  // namespace nestling::guest
