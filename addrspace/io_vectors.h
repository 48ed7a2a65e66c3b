// IoVectors: guest memory as readv, writev and their kin want it.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "addrspace/guest_memory.h"

namespace nestling {

/// The spans of a SpanList as iovecs, for I/O without a copy. No heap for as many spans as a
/// SpanList holds without. The kernel takes at most IOV_MAX (1024) of them in one call.
class IoVectors {
 public:
  explicit IoVectors(const SpanList& list) {
    const std::span<const std::span<std::byte>> spans = list.spans();
    if (spans.size() > few_.size()) {
      many_.resize(spans.size());
    }
    count_ = spans.size();
    const std::span<iovec> out = many_.empty() ? std::span<iovec>(few_) : std::span<iovec>(many_);
    for (std::size_t i = 0; i < count_; ++i) {
      out[i] = {.iov_base = spans[i].data(), .iov_len = spans[i].size()};
    }
  }

  /// In the order of the guest's bytes.
  [[nodiscard]] std::span<const iovec> vectors() const {
    return many_.empty() ? std::span<const iovec>(few_).first(count_)
                         : std::span<const iovec>(many_);
  }

 private:
  std::array<iovec, 4> few_{};
  std::vector<iovec> many_;
  std::size_t count_ = 0;
};

}  // namespace nestling
