// ConsoleOutput: brings what the guest writes to a file descriptor, in pieces worth a system call.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "devices/byte_sink.h"

namespace nestling {

/// Batches the guest's bytes, remembers its last lines, and survives whoever reads them:
/// - a slow reader is waited for, until abandon();
/// - a closed or full one ends the output: later bytes are dropped, error() says why.
/// A byte that ends neither a line nor a batch waits for a flush: flush before a vCPU blocks and at
/// the end of the run, and from a control thread flush_without_waiting() some milliseconds after
/// pending() became true. The process must ignore SIGPIPE.
///
/// Any thread may call anything. Only write(), flush() and last_lines() wait for the reader.
class ConsoleOutput final : public ByteSink {
 public:
  /// Whether the end of a line is a reason to deliver, as it is where a person reads.
  enum class Buffering : std::uint8_t { kLines, kBlocks };

  /// Bytes that are delivered without waiting for more. What a pipe that is ready takes at once.
  static constexpr std::size_t kBatchSize = 4096;
  /// How much last_lines() remembers; what is longer is cut.
  static constexpr std::size_t kRememberedLines = 4;
  static constexpr std::size_t kRememberedLineSize = 256;

  /// `fd` must be open for as long as the output lives; `name` is what error() calls it.
  ConsoleOutput(int fd, std::string name, Buffering buffering);
  ConsoleOutput(const ConsoleOutput&) = delete;
  ConsoleOutput& operator=(const ConsoleOutput&) = delete;
  /// Flushes.
  ~ConsoleOutput() override;

  void write(std::span<const std::byte> bytes) override;
  /// Delivers all that is pending, or gives up on the reader.
  void flush();
  /// Delivers what the reader takes at once. Does nothing while another thread delivers.
  void flush_without_waiting();
  /// From now on nobody waits for the reader, not even a thread that already does: what cannot be
  /// delivered at once is dropped. For a run that must end.
  void abandon() { abandoned_ = true; }

  /// True while a byte waits for a flush.
  [[nodiscard]] bool pending() const { return pending_; }
  /// Why the output ended (kHostRefused), or nothing while it works.
  [[nodiscard]] std::optional<Error> error() const;
  /// True once error() has something to say: cheap enough to ask after every exit.
  [[nodiscard]] bool failed() const { return failed_; }
  /// The last lines the guest wrote, oldest first, delivered or not, with "." for what does not
  /// print. The last one may not have ended yet. Waits where a flush waits.
  [[nodiscard]] std::vector<std::string> last_lines() const;

 private:
  enum class Wait : std::uint8_t { kForReader, kNever };

  void remember(char character);
  void deliver(Wait wait);
  /// Waits until the descriptor takes a batch without blocking; false when that is not to be.
  [[nodiscard]] bool is_ready(Wait wait) const;

  const UniqueFd own_fd_;  // the same pipe or terminal, opened again so that no write blocks
  const int fd_;           // own_fd_, or the caller's where that cannot be had
  const std::string name_;
  const Buffering buffering_;
  std::atomic<bool> abandoned_ = false;
  std::atomic<bool> pending_ = false;
  std::atomic<bool> failed_ = false;

  mutable std::mutex mutex_;  // guards all below
  std::vector<std::byte> buffer_;
  std::deque<std::string> lines_;  // complete ones
  std::string line_;               // the one being written
  std::optional<Error> error_;
};

}  // namespace nestling
