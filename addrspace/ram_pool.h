// RamPool: the VM's host memory, one reservation from which areas get extents and frames.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "addrspace/extent_map.h"
#include "addrspace/host_mapping.h"
#include "addrspace/page_size.h"
#include "addrspace/range.h"
#include "base/file_descriptor.h"
#include "base/result.h"

namespace nestling {

/// Why the pool cannot give what was asked for.
struct PoolError {
  enum class Reason : std::uint8_t {
    kNoAddresses,  ///< no free extent of that size and placement in the reservation
    kLimit,        ///< the limit on committed bytes would be passed
    kHost,         ///< the host refused; `host_error` is its errno
  };

  Reason reason = Reason::kNoAddresses;
  std::uint64_t size = 0;       ///< bytes asked for
  std::uint64_t available = 0;  ///< bytes left under the limit, or free in the reservation
  int host_error = 0;

  friend bool operator==(const PoolError&, const PoolError&) = default;
};

/// "the pool's limit leaves 0x1000 of the 0x200000 bytes asked for" or the like.
[[nodiscard]] std::string describe(const PoolError& error);

/// The pool's private memory: the fastest, and on most hosts the only one with transparent huge
/// pages.
struct AnonymousBacking {
  /// Advise the host to use huge pages: then the first touch may take 2 MiB of host memory at once.
  /// Never: the host commits exactly the 4 KiB pages that are touched, as a sparse guest wants it.
  enum class HugePages : std::uint8_t { kAdvise, kNever };
  HugePages huge_pages = HugePages::kAdvise;
};
/// A memfd: can be shared, and holds only the frames that are committed.
struct MemfdBacking {};
/// A memfd of hugetlb pages, which the host's administrator must have set aside. Host pages are
/// committed whole, when their first byte is.
struct HugetlbBacking {
  PageSize page_size = PageSize::k2MiB;  ///< 2 MiB or 1 GiB
};
/// A file, open for reading and writing, whose content is lost.
struct FileBacking {
  UniqueFd file;
};
using PoolBacking = std::variant<AnonymousBacking, MemfdBacking, HugetlbBacking, FileBacking>;

/// One reservation of host addresses. An HPA is an offset in it, and only the pool turns one into
/// a host pointer.
///
///     HPA 0                                                    capacity
///      |#### extents of 2 MiB and more ........ frames, small extents ##|
///
/// Two steps: reserve() takes addresses, which cost no memory; commit() allows their use, counted
/// against the limit. Bytes that are not committed read as zero and must not be written, so what is
/// committed always starts as zeros; uncommit() gives the memory back to the host at once.
///
/// Thread-safe. Bookkeeping is a few words of heap for each free extent.
class RamPool {
 public:
  struct Options {
    /// Bytes of addresses; a multiple of 2 MiB (of 1 GiB for such hugetlb pages), not 0.
    std::uint64_t capacity = 0;
    /// Bytes that may be committed at a time.
    std::uint64_t limit = UINT64_MAX;
    PoolBacking backing;
  };

  struct Statistics {
    std::uint64_t capacity = 0;        ///< bytes of addresses
    std::uint64_t limit = 0;           ///< bytes that may be committed
    std::uint64_t reserved = 0;        ///< bytes of addresses handed out
    std::uint64_t committed = 0;       ///< bytes in use
    std::uint64_t committed_peak = 0;  ///< the most that ever were
    std::uint64_t refusals = 0;        ///< commits refused, by the limit or by the host
    std::uint64_t wiped = 0;           ///< bytes the host would not take back, so zeroed instead
  };

  /// Fails with kHostRefused when the host has no room or will not give this backing, and with
  /// kUsage when the capacity does not suit it.
  [[nodiscard]] static Result<std::unique_ptr<RamPool>> create(Options options);

  RamPool(const RamPool&) = delete;
  RamPool& operator=(const RamPool&) = delete;
  ~RamPool() = default;

  /// Addresses for `size` bytes (a multiple of 4 KiB, not 0), contiguous, starting at `remainder`
  /// modulo `modulus` (a power of two). A remainder that is a guest address makes the extent's
  /// addresses congruent to the guest's, as huge pages need. Nothing is committed. Fails with
  /// kNoAddresses.
  [[nodiscard]] Result<HostPhysRange, PoolError> reserve(std::uint64_t size,
                                                         std::uint64_t modulus = kPageSize,
                                                         std::uint64_t remainder = 0);
  /// Gives back reserved addresses, any part of an extent, in which nothing is committed.
  void release(HostPhysRange range);
  /// True when all of `range` is reserved.
  [[nodiscard]] bool is_reserved(HostPhysRange range) const;

  /// Allows the use of `range`: reserved, page-aligned, nothing in it committed. All or nothing;
  /// fails with kLimit or kHost.
  [[nodiscard]] Result<void, PoolError> commit(HostPhysRange range);
  /// Gives committed, page-aligned memory back to the host; what was in it is gone.
  void uncommit(HostPhysRange range);

  /// reserve() and commit() of `count` adjoining frames, aligned to their size.
  [[nodiscard]] Result<HostPhysRange, PoolError> allocate(PageSize size, std::uint64_t count = 1);
  /// Frames for every element of `frames`, wherever there is room; all or nothing.
  [[nodiscard]] Result<void, PoolError> allocate_each(PageSize size,
                                                      std::span<HostPhysAddr> frames);
  /// uncommit() and release().
  void free(HostPhysRange range);

  /// True when `range` lies in the pool.
  [[nodiscard]] bool contains(HostPhysRange range) const {
    return !range.is_empty() && range.last().value() < memory_.bytes().size();
  }
  /// The bytes of `range`, which lies in the pool. They stay mapped while the pool lives.
  [[nodiscard]] std::span<std::byte> bytes(HostPhysRange range) const {
    check(contains(range), "HPA range outside the pool");
    return memory_.bytes().subspan(range.start().value(), range.size());
  }
  /// The byte at `address`, which lies in the pool.
  [[nodiscard]] std::byte* pointer(HostPhysAddr address) const {
    check(address.value() < memory_.bytes().size(), "HPA outside the pool");
    return memory_.bytes().data() + address.value();
  }

  /// The memfd or file behind the pool, in which an HPA is the offset; -1 for anonymous memory.
  [[nodiscard]] int fd() const { return fd_.get(); }

  /// Changes the limit; below what is committed it only refuses more.
  void set_limit(std::uint64_t limit) { limit_.store(limit, std::memory_order_relaxed); }
  /// For a pool that is about to go, with whatever is in it: from now on nothing is given back to
  /// the host piece by piece, and nothing can be committed.
  void retire() {
    set_limit(0);
    retired_.store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] Statistics statistics() const;

 private:
  enum class Kind : std::uint8_t { kAnonymous, kMemfd, kHugetlb, kFile };

  RamPool(Kind kind, std::uint64_t host_page, UniqueFd fd, HostMapping memory, std::uint64_t limit);

  [[nodiscard]] Result<void, PoolError> count_in(std::uint64_t size);
  [[nodiscard]] int commit_in_host(HostPhysRange range);
  void uncommit_in_host(HostPhysRange range);
  [[nodiscard]] int commit_host_pages(HostPhysRange range);
  void uncommit_host_pages(HostPhysRange range);
  void give_to_host(HostPhysRange range);

  Kind kind_;
  std::uint64_t host_page_;
  UniqueFd fd_;
  HostMapping memory_;
  std::atomic<std::uint64_t> limit_;
  std::atomic<std::uint64_t> committed_ = 0;
  std::atomic<std::uint64_t> committed_peak_ = 0;
  std::atomic<std::uint64_t> refusals_ = 0;
  std::atomic<std::uint64_t> wiped_ = 0;
  std::atomic<bool> retired_ = false;

  mutable std::mutex mutex_;  ///< guards what follows
  ExtentMap extents_;
  std::vector<std::uint32_t> used_in_host_page_;  ///< hugetlb: committed 4 KiB pages in each
};

}  // namespace nestling
