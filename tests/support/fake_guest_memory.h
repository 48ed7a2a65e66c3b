// FakeGuestMemory: guest memory of heap pages that never adjoin, with rights page by page.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>

#include "addrspace/guest_memory.h"

namespace nestling::testing {

/// Plain pages; whatever crosses one is in pieces. Not thread-safe.
class FakeGuestMemory final : public GuestMemory {
 public:
  /// Adds zeroed pages; both ends of `range` are multiples of 4 KiB.
  void add(GuestPhysRange range, Access access) {
    for (std::uint64_t offset = 0; offset < range.size(); offset += kPageSize) {
      pages_[(range.start() + offset).value()] = {access, std::make_unique<Frame>()};
    }
  }

  [[nodiscard]] Result<SpanList, MemoryFault> spans(GuestPhysRange range, Access access) override {
    SpanList list;
    for (std::uint64_t done = 0; done < range.size();) {
      const GuestPhysAddr at = range.start() + done;
      const auto page = pages_.find(at.aligned_down(kPageSize).value());
      if (page == pages_.end()) {
        return failure(MemoryFault{MemoryFault::Reason::kUnmapped, at});
      }
      if (!page->second.access.allows(access)) {
        return failure(MemoryFault{MemoryFault::Reason::kDenied, at});
      }
      const std::uint64_t in_page = at.value() % kPageSize;
      const std::uint64_t size = std::min(range.size() - done, kPageSize - in_page);
      list.append(std::span(page->second.frame->bytes).subspan(in_page, size));
      done += size;
    }
    return list;
  }

 private:
  /// The gap keeps neighbours on the heap from adjoining.
  struct alignas(64) Frame {
    std::array<std::byte, kPageSize> bytes{};
    std::array<std::byte, 64> gap{};
  };
  struct Page {
    Access access;
    std::unique_ptr<Frame> frame;
  };

  std::map<std::uint64_t, Page> pages_;
};

}  // namespace nestling::testing
