// The pool's bookkeeping, and what each backing has to do to come into use and to go back.
#include "addrspace/ram_pool.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nestling {

namespace {

constexpr std::uint64_t k2MiB = bytes_of(PageSize::k2MiB);
constexpr std::uint64_t k1GiB = bytes_of(PageSize::k1GiB);
/// MADV_POPULATE_WRITE of Linux 5.14, which Debian 12's C library headers may lack.
constexpr int kMadvisePopulateWrite = 23;

Result<UniqueFd> make_memfd(unsigned flags) {
  UniqueFd fd(memfd_create("nestling-ram", MFD_CLOEXEC | flags));
  if (!fd) {
    return failure(host_error("memfd_create for guest RAM", errno));
  }
  return fd;
}

Result<void> resize_file(int fd, std::uint64_t capacity) {
  // Truncating to nothing first makes every byte zero, whatever the file held.
  if (ftruncate(fd, 0) != 0 || ftruncate(fd, static_cast<off_t>(capacity)) != 0) {
    return failure(host_error(fmt::format("ftruncate of guest RAM to {:#x}", capacity), errno));
  }
  return {};
}

std::uint64_t page_index(std::uint64_t offset, std::uint64_t page_size) {
  return offset / page_size;
}

}  // namespace

std::string describe(const PoolError& error) {
  switch (error.reason) {
    case PoolError::Reason::kNoAddresses:
      return fmt::format("the pool has no {:#x} contiguous bytes of addresses left ({:#x} free)",
                         error.size, error.available);
    case PoolError::Reason::kLimit:
      return fmt::format("the pool's limit leaves {:#x} of the {:#x} bytes asked for",
                         error.available, error.size);
    case PoolError::Reason::kHost:
      return fmt::format("the host refused {:#x} bytes: {}", error.size,
                         strerrordesc_np(error.host_error));
  }
  return "?";
}

Result<std::unique_ptr<RamPool>> RamPool::create(Options options) {
  Kind kind = Kind::kAnonymous;
  std::uint64_t host_page = kPageSize;
  Result<UniqueFd> fd = UniqueFd();
  if (std::holds_alternative<MemfdBacking>(options.backing)) {
    kind = Kind::kMemfd;
    fd = make_memfd(0);
  } else if (const auto* hugetlb = std::get_if<HugetlbBacking>(&options.backing)) {
    kind = Kind::kHugetlb;
    host_page = bytes_of(hugetlb->page_size);
    fd = make_memfd(MFD_HUGETLB | (host_page == k1GiB ? MFD_HUGE_1GB : MFD_HUGE_2MB));
  } else if (auto* file = std::get_if<FileBacking>(&options.backing)) {
    kind = Kind::kFile;
    fd = std::move(file->file);
  }
  if (!fd) {
    return failure(fd.error());
  }
  const std::uint64_t unit = std::max(k2MiB, host_page);
  if (options.capacity == 0 || options.capacity % unit != 0 ||
      options.capacity > static_cast<std::uint64_t>(INT64_MAX)) {
    return failure(make_error(ErrorKind::kUsage,
                              "a RAM pool of {:#x} bytes is not a multiple of {:#x}",
                              options.capacity, unit));
  }
  if (fd->get() >= 0) {
    if (const auto sized = resize_file(fd->get(), options.capacity); !sized) {
      return failure(sized.error());
    }
  }
  // Congruent to HPAs modulo 1 GiB, so that whatever is aligned in the pool is so in the host.
  const std::uint64_t alignment = options.capacity >= k1GiB ? k1GiB : unit;
  Result<HostMapping> memory = fd->get() >= 0
                                   ? HostMapping::shared(fd->get(), options.capacity, alignment)
                                   : HostMapping::anonymous(options.capacity, alignment);
  if (!memory) {
    return failure(memory.error());
  }
  if (const auto* anonymous = std::get_if<AnonymousBacking>(&options.backing)) {
    // Advice only: without it the host decides, and nothing else depends on it.
    const std::span<std::byte> all = memory->bytes();
    const bool advise = anonymous->huge_pages == AnonymousBacking::HugePages::kAdvise;
    (void)madvise(all.data(), all.size(), advise ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  return std::unique_ptr<RamPool>(
      new RamPool(kind, host_page, std::move(*fd), std::move(*memory), options.limit));
}

RamPool::RamPool(Kind kind, std::uint64_t host_page, UniqueFd fd, HostMapping memory,
                 std::uint64_t limit)
    : kind_(kind),
      host_page_(host_page),
      fd_(std::move(fd)),
      memory_(std::move(memory)),
      limit_(limit),
      extents_(HostPhysRange::of(HostPhysAddr(0), memory_.bytes().size())) {
  if (kind_ == Kind::kHugetlb) {
    used_in_host_page_.resize(memory_.bytes().size() / host_page_);
  }
}

Result<HostPhysRange, PoolError> RamPool::reserve(std::uint64_t size, std::uint64_t modulus,
                                                  std::uint64_t remainder) {
  check(size != 0 && size % kPageSize == 0 && modulus >= kPageSize, "size of an extent");
  const bool is_large = size >= k2MiB || modulus >= k2MiB;
  const std::lock_guard lock(mutex_);
  const auto extent =
      extents_.take(size, {.modulus = modulus,
                           .remainder = remainder,
                           .end = is_large ? Placement::End::kFront : Placement::End::kBack});
  if (!extent) {
    return failure(PoolError{.reason = PoolError::Reason::kNoAddresses,
                             .size = size,
                             .available = extents_.free_bytes()});
  }
  return *extent;
}

void RamPool::release(HostPhysRange range) {
  const std::lock_guard lock(mutex_);
  extents_.give_back(range);
}

bool RamPool::is_reserved(HostPhysRange range) const {
  const std::lock_guard lock(mutex_);
  return extents_.is_taken(range);
}

Result<void, PoolError> RamPool::count_in(std::uint64_t size) {
  std::uint64_t committed = committed_.load(std::memory_order_relaxed);
  do {
    const std::uint64_t limit = limit_.load(std::memory_order_relaxed);
    if (committed > limit || limit - committed < size) {
      refusals_.fetch_add(1, std::memory_order_relaxed);
      return failure(PoolError{.reason = PoolError::Reason::kLimit,
                               .size = size,
                               .available = committed > limit ? 0 : limit - committed});
    }
  } while (
      !committed_.compare_exchange_weak(committed, committed + size, std::memory_order_relaxed));
  std::uint64_t peak = committed_peak_.load(std::memory_order_relaxed);
  while (peak < committed + size && !committed_peak_.compare_exchange_weak(
                                        peak, committed + size, std::memory_order_relaxed)) {
  }
  return {};
}

Result<void, PoolError> RamPool::commit(HostPhysRange range) {
  check(contains(range) && range.start().is_aligned(kPageSize) && range.size() % kPageSize == 0,
        "range to commit");
  if (const auto counted = count_in(range.size()); !counted) {
    return counted;
  }
  if (const int refused = commit_in_host(range); refused != 0) {
    committed_.fetch_sub(range.size(), std::memory_order_relaxed);
    refusals_.fetch_add(1, std::memory_order_relaxed);
    return failure(
        PoolError{.reason = PoolError::Reason::kHost, .size = range.size(), .host_error = refused});
  }
  return {};
}

int RamPool::commit_in_host(HostPhysRange range) {
  if (kind_ == Kind::kHugetlb) {
    return commit_host_pages(range);
  }
  if (kind_ != Kind::kFile) {
    return 0;
  }
  // Room on the disk is taken here, where its lack is an error; at first touch it would be SIGBUS.
  while (fallocate(fd_.get(), 0, static_cast<off_t>(range.start().value()),
                   static_cast<off_t>(range.size())) != 0) {
    if (errno != EINTR) {
      const int refused = errno;
      give_to_host(range);
      return refused;
    }
  }
  return 0;
}

int RamPool::commit_host_pages(HostPhysRange range) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t first = page_index(range.start().value(), host_page_);
  const std::uint64_t last = page_index(range.last().value(), host_page_);
  for (std::uint64_t index = first; index <= last; ++index) {
    const HostPhysRange page = HostPhysRange::of(HostPhysAddr(index * host_page_), host_page_);
    // Populated here for the same reason as a file's blocks.
    if (used_in_host_page_.at(index) == 0 &&
        madvise(pointer(page.start()), host_page_, kMadvisePopulateWrite) != 0) {
      // Where a touch would die of SIGBUS, madvise says EFAULT: there are no free host pages.
      const int refused = errno == EFAULT ? ENOMEM : errno;
      for (std::uint64_t undo = first; undo < index; ++undo) {
        const HostPhysRange done = HostPhysRange::of(HostPhysAddr(undo * host_page_), host_page_);
        used_in_host_page_.at(undo) -=
            static_cast<std::uint32_t>(done.intersection(range)->size() / kPageSize);
        if (used_in_host_page_.at(undo) == 0) {
          give_to_host(done);
        }
      }
      return refused;
    }
    used_in_host_page_.at(index) +=
        static_cast<std::uint32_t>(page.intersection(range)->size() / kPageSize);
  }
  return 0;
}

void RamPool::uncommit(HostPhysRange range) {
  check(contains(range) && range.start().is_aligned(kPageSize) && range.size() % kPageSize == 0,
        "range to uncommit");
  uncommit_in_host(range);
  const std::uint64_t before = committed_.fetch_sub(range.size(), std::memory_order_relaxed);
  check(before >= range.size(), "more uncommitted than was committed");
}

void RamPool::uncommit_in_host(HostPhysRange range) {
  if (kind_ == Kind::kHugetlb) {
    uncommit_host_pages(range);
  } else {
    give_to_host(range);
  }
}

void RamPool::uncommit_host_pages(HostPhysRange range) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t first = page_index(range.start().value(), host_page_);
  const std::uint64_t last = page_index(range.last().value(), host_page_);
  for (std::uint64_t index = first; index <= last; ++index) {
    const HostPhysRange page = HostPhysRange::of(HostPhysAddr(index * host_page_), host_page_);
    const HostPhysRange part = *page.intersection(range);
    const auto count = static_cast<std::uint32_t>(part.size() / kPageSize);
    check(used_in_host_page_.at(index) >= count, "more uncommitted than was committed");
    used_in_host_page_.at(index) -= count;
    if (used_in_host_page_.at(index) == 0) {
      give_to_host(page);
    } else {
      std::memset(pointer(part.start()), 0, part.size());
    }
  }
}

void RamPool::give_to_host(HostPhysRange range) {
  if (retired_.load(std::memory_order_relaxed)) {
    return;
  }
  int result = 0;
  do {
    result = fd_.get() < 0 ? madvise(pointer(range.start()), range.size(), MADV_DONTNEED)
                           : fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                       static_cast<off_t>(range.start().value()),
                                       static_cast<off_t>(range.size()));
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    // The next user must find zeros all the same.
    std::memset(pointer(range.start()), 0, range.size());
    wiped_.fetch_add(range.size(), std::memory_order_relaxed);
  }
}

Result<HostPhysRange, PoolError> RamPool::allocate(PageSize size, std::uint64_t count) {
  const std::optional<std::uint64_t> bytes = checked_mul(bytes_of(size), count);
  if (!bytes || *bytes == 0) {
    return failure(PoolError{.reason = PoolError::Reason::kNoAddresses, .size = UINT64_MAX});
  }
  const auto frames = reserve(*bytes, bytes_of(size));
  if (!frames) {
    return frames;
  }
  if (const auto committed = commit(*frames); !committed) {
    release(*frames);
    return failure(committed.error());
  }
  return frames;
}

Result<void, PoolError> RamPool::allocate_each(PageSize size, std::span<HostPhysAddr> frames) {
  for (std::size_t done = 0; done < frames.size(); ++done) {
    const auto frame = allocate(size);
    if (!frame) {
      for (const HostPhysAddr undo : frames.first(done)) {
        free(HostPhysRange::of(undo, bytes_of(size)));
      }
      return failure(frame.error());
    }
    frames[done] = frame->start();
  }
  return {};
}

void RamPool::free(HostPhysRange range) {
  uncommit(range);
  release(range);
}

RamPool::Statistics RamPool::statistics() const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t capacity = memory_.bytes().size();
  return {.capacity = capacity,
          .limit = limit_.load(std::memory_order_relaxed),
          .reserved = capacity - extents_.free_bytes(),
          .committed = committed_.load(std::memory_order_relaxed),
          .committed_peak = committed_peak_.load(std::memory_order_relaxed),
          .refusals = refusals_.load(std::memory_order_relaxed),
          .wiped = wiped_.load(std::memory_order_relaxed)};
}

}  // namespace nestling
