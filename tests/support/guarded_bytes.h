// GuardedBytes: bytes right behind which the next access faults, also in libraries that no
// sanitizer watches.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "addrspace/address.h"
#include "addrspace/host_mapping.h"
#include "base/check.h"

namespace nestling::testing {

///     |  unused  |--- bytes ---|  page without access  |
class GuardedBytes {
 public:
  /// A copy of `bytes`.
  explicit GuardedBytes(std::span<const std::byte> bytes)
      : mapping_(make_mapping(bytes.size())),
        bytes_(mapping_.bytes().subspan(mapping_.bytes().size() - kPageSize - bytes.size(),
                                        bytes.size())) {
    std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  }

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  static HostMapping make_mapping(std::size_t size) {
    const std::size_t pages = (size + kPageSize - 1) / kPageSize + 1;
    auto mapping = HostMapping::anonymous(pages * kPageSize, kPageSize);
    check(mapping.has_value(), "memory for a test");
    const auto guard = mapping->bytes().last(kPageSize);
    check(mprotect(guard.data(), guard.size(), PROT_NONE) == 0, "mprotect");
    return std::move(*mapping);
  }

  HostMapping mapping_;
  std::span<std::byte> bytes_;
};

}  // namespace nestling::testing
