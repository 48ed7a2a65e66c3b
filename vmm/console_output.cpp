// Batching, delivering and remembering console output.
#include "vmm/console_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace nestling {

namespace {

/// How soon a thread that waits for the reader notices that the run was abandoned.
constexpr int kPollIntervalMs = 20;

/// Another description of the pipe or terminal behind `fd`, which alone is non-blocking: the flag
/// of `fd` itself is shared with other processes. Empty for other files, and where that is refused.
UniqueFd reopen(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || (!S_ISFIFO(status.st_mode) && isatty(fd) != 1)) {
    return {};
  }
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  return UniqueFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool prints(char character) { return character >= ' ' && character != 0x7f; }

}  // namespace

ConsoleOutput::ConsoleOutput(int fd, std::string name, Buffering buffering)
    : own_fd_(reopen(fd)),
      fd_(own_fd_ ? own_fd_.get() : fd),
      name_(std::move(name)),
      buffering_(buffering) {
  check(fd >= 0, "console output without a descriptor");
  buffer_.reserve(kBatchSize);
}

ConsoleOutput::~ConsoleOutput() { flush(); }

void ConsoleOutput::write(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  for (const std::byte byte : bytes) {
    remember(static_cast<char>(byte));
    if (error_) {
      continue;
    }
    buffer_.push_back(byte);
    const bool ends_line = buffering_ == Buffering::kLines && byte == std::byte{'\n'};
    if (ends_line || buffer_.size() >= kBatchSize) {
      deliver(Wait::kForReader);
    }
  }
  pending_ = !buffer_.empty();
}

void ConsoleOutput::flush() {
  const std::lock_guard lock(mutex_);
  deliver(Wait::kForReader);
  pending_ = false;
}

void ConsoleOutput::flush_without_waiting() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) {
    deliver(Wait::kNever);
    pending_ = !buffer_.empty();
  }
}

std::optional<Error> ConsoleOutput::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

std::vector<std::string> ConsoleOutput::last_lines() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines(lines_.begin(), lines_.end());
  if (!line_.empty()) {
    lines.push_back(line_);
  }
  if (lines.size() > kRememberedLines) {
    lines.erase(lines.begin());
  }
  return lines;
}

void ConsoleOutput::remember(char character) {
  if (character == '\n') {
    lines_.push_back(std::exchange(line_, {}));
    if (lines_.size() > kRememberedLines) {
      lines_.pop_front();
    }
  } else if (character != '\r' && line_.size() < kRememberedLineSize) {
    line_.push_back(prints(character) ? character : '.');
  }
}

void ConsoleOutput::deliver(Wait wait) {
  std::span<const std::byte> rest = buffer_;
  while (!rest.empty() && is_ready(wait)) {
    const ssize_t written = ::write(fd_, rest.data(), std::min(rest.size(), kBatchSize));
    if (written >= 0) {
      rest = rest.subspan(static_cast<std::size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      error_ = host_error(fmt::format("cannot write the guest's console to {}", name_), errno);
      failed_ = true;
      rest = {};
    }
  }
  if (wait == Wait::kForReader) {
    rest = {};  // what is left was abandoned
  }
  buffer_.erase(buffer_.begin(), buffer_.end() - static_cast<std::ptrdiff_t>(rest.size()));
}

bool ConsoleOutput::is_ready(Wait wait) const {
  pollfd poller{.fd = fd_, .events = POLLOUT, .revents = 0};
  while (true) {
    const bool waits = wait == Wait::kForReader && !abandoned_;
    const int count = poll(&poller, 1, waits ? kPollIntervalMs : 0);
    if (count > 0) {
      return true;  // or an error, which writing will name
    }
    if (!waits && (count == 0 || errno != EINTR)) {
      return false;
    }
  }
}

}  // namespace nestling
