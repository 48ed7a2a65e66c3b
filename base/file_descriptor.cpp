// Closing and writing file descriptors.
#include "base/file_descriptor.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace nestling {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  UniqueFd old(std::exchange(fd_, std::exchange(other.fd_, -1)));
  return *this;
}

UniqueFd::~UniqueFd() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

Result<void> write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      // A caller's non-blocking pipe: wait for room instead of spinning.
      pollfd waiter{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&waiter, 1, -1);
    } else if (errno != EINTR) {
      return failure(host_error("write", errno));
    }
  }
  return {};
}

}  // namespace nestling
