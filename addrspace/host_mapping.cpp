// mmap and munmap, aligned as huge pages want it; and files read into memory.
#include "addrspace/host_mapping.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "addrspace/address.h"

namespace nestling {

Result<HostMapping> HostMapping::anonymous(std::uint64_t size, std::uint64_t alignment) {
  check(is_power_of_two(alignment), "alignment of a mapping");
  const std::optional<std::uint64_t> reserved = checked_add(size, alignment);
  if (size == 0 || !reserved) {
    return failure(make_error(ErrorKind::kHostRefused, "cannot map {:#x} bytes of memory", size));
  }
  void* start = mmap(nullptr, *reserved, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (start == MAP_FAILED) {
    return failure(host_error(fmt::format("mmap of {:#x} bytes of memory", size), errno));
  }
  // Give back what stands before and behind the aligned part.
  auto* const reserved_first = static_cast<std::byte*>(start);
  const std::uint64_t misalignment = reinterpret_cast<std::uintptr_t>(start) & (alignment - 1);
  const std::uint64_t before = misalignment == 0 ? 0 : alignment - misalignment;
  std::byte* const first = reserved_first + before;
  if (before != 0) {
    munmap(reserved_first, before);
  }
  munmap(first + size, *reserved - before - size);
  return HostMapping({first, size});
}

Result<HostMapping> HostMapping::shared(int fd, std::uint64_t size, std::uint64_t alignment) {
  // The aligned place comes from an anonymous mapping, which the file's then replaces whole.
  Result<HostMapping> place = anonymous(size, alignment);
  if (!place) {
    return place;
  }
  void* const start = mmap(place->bytes().data(), size, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0);
  if (start == MAP_FAILED) {
    return failure(host_error(fmt::format("mmap of {:#x} bytes, shared", size), errno));
  }
  return place;
}

Result<HostMapping> HostMapping::copy_of(int fd, std::uint64_t size) {
  void* const start =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) {
    return failure(host_error(fmt::format("mmap of {:#x} bytes for a file", size), errno));
  }
  HostMapping copy({static_cast<std::byte*>(start), size});
  for (std::uint64_t done = 0; done < size;) {
    const ssize_t got = pread(fd, copy.bytes_.data() + done, size - done, static_cast<off_t>(done));
    if (got > 0) {
      done += static_cast<std::uint64_t>(got);
    } else if (got == 0) {
      return failure(make_error(ErrorKind::kHostRefused,
                                "the file ended after {:#x} of its {:#x} bytes while it was read",
                                done, size));
    } else if (errno != EINTR) {
      return failure(host_error("read", errno));
    }
  }
  return copy;
}

HostMapping& HostMapping::operator=(HostMapping&& other) noexcept {
  HostMapping old(std::exchange(bytes_, std::exchange(other.bytes_, {})));
  return *this;
}

HostMapping::~HostMapping() {
  if (!bytes_.empty()) {
    munmap(bytes_.data(), bytes_.size());
  }
}

}  // namespace nestling
