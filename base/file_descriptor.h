// UniqueFd: a file descriptor that closes itself; and the few calls on one that retry and report.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include "base/result.h"

namespace nestling {

/// Owns one open file descriptor. Move-only. Open with O_CLOEXEC on the line that makes one.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd();

  /// The descriptor, or -1 when this owns none.
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Writes all of `bytes`, across short writes and EINTR; a full or closed target is the error.
[[nodiscard]] Result<void> write_all(int fd, std::span<const std::byte> bytes);

}  // namespace nestling
