// WatchList: the bytes that `--watch` names, and which accesses hit them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "addrspace/access.h"
#include "addrspace/range.h"
#include "base/result.h"
#include "boot/image.h"
#include "boot/symbols.h"

namespace nestling {

/// One `--watch` as far as its text alone tells.
struct WatchRequest {
  std::string text;    ///< as it was written
  std::string symbol;  ///< of the kernel; empty where `start` is given
  GuestPhysAddr start;
  /// In bytes; nothing for all of a symbol.
  std::optional<std::uint64_t> size;
  Access access = Access::read_write();
};

/// Reads PLACE[:r|w|rw], where PLACE is START-LAST, START+SIZE, SYMBOL or SYMBOL+SIZE: numbers in
/// hexadecimal after 0x, else decimal, sizes also with K, M or G. Fails with kUsage.
[[nodiscard]] Result<WatchRequest> parse_watch(std::string_view text);

/// Bytes of guest memory, not none, and the accesses of them that are told: reads, writes or both.
struct WatchRange {
  GuestPhysRange range;
  Access access;
  std::string text;  ///< as the user wrote it

  /// The whole pages that it has a part in.
  [[nodiscard]] GuestPhysRange pages() const {
    const GuestPhysAddr first = range.start().aligned_down(kPageSize);
    return GuestPhysRange::of(first,
                              range.last().aligned_down(kPageSize).offset_from(first) + kPageSize);
  }
};

/// Where `request` is in guest memory: a symbol is where `image` loads it. Fails with kUsage when
/// the symbol is not there, stands for several things, or says no size.
[[nodiscard]] Result<WatchRange> locate(const WatchRequest& request, const Image& image,
                                        const SymbolTable& symbols);

/// All watched ranges; immutable, so any thread may ask.
class WatchList {
 public:
  WatchList() = default;
  explicit WatchList(std::vector<WatchRange> ranges) : ranges_(std::move(ranges)) {}

  [[nodiscard]] bool is_empty() const { return ranges_.empty(); }
  [[nodiscard]] std::span<const WatchRange> ranges() const { return ranges_; }

  /// True when `address` is in a page with a watched byte.
  [[nodiscard]] bool traps(GuestPhysAddr address) const;
  /// True when such an access of `address` is an exit for the sake of one. Where reads are watched
  /// there is no slot, so that every access is.
  [[nodiscard]] bool traps(GuestPhysAddr address, Access access) const;

  /// Words for a guest that came to an end where the processor itself reads `path`: code and page
  /// tables cannot be in pages whose reads are trapped. Empty when none is.
  [[nodiscard]] std::string obstacle_on(std::span<const GuestPhysAddr> path) const;

  /// The first range that an access of `bytes` hits, or null: a byte in common, and a right.
  [[nodiscard]] const WatchRange* hit_by(GuestPhysRange bytes, Access access) const;

 private:
  std::vector<WatchRange> ranges_;
};

}  // namespace nestling
