// HostMapping: a piece of this process's memory from mmap, unmapped when its owner goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/result.h"

namespace nestling {

/// Owns one mmap'd range. Move-only.
class HostMapping {
 public:
  /// Zeroed private memory, committed by the host page by page as it is touched.
  /// `size` in bytes, a multiple of the page size; the start is aligned to `alignment` (a power of
  /// two). Fails with kHostRefused when the host has no room.
  [[nodiscard]] static Result<HostMapping> anonymous(std::uint64_t size, std::uint64_t alignment);

  /// A copy of the first `size` bytes, not 0, of the file behind `fd`. A copy, for a mapping of a
  /// file that somebody shortens ends the process that reads it. Fails with kHostRefused, also when
  /// the file is shorter.
  [[nodiscard]] static Result<HostMapping> copy_of(int fd, std::uint64_t size);

  /// `size` bytes of the file or memfd behind `fd`, shared with everyone who maps it, from its
  /// start; readable and writable; nothing is reserved in the host. Alignment as for anonymous().
  [[nodiscard]] static Result<HostMapping> shared(int fd, std::uint64_t size,
                                                  std::uint64_t alignment);

  HostMapping() = default;
  HostMapping(HostMapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  HostMapping& operator=(HostMapping&& other) noexcept;
  HostMapping(const HostMapping&) = delete;
  HostMapping& operator=(const HostMapping&) = delete;
  ~HostMapping();

  /// All of it. Bytes of a read-only mapping must not be written.
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  explicit HostMapping(std::span<std::byte> bytes) : bytes_(bytes) {}

  std::span<std::byte> bytes_;
};

}  // namespace nestling
