// AuditTrail: the file of `--audit`: one line of JSON for each event, written by a thread of its
// own.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "vmm/audit/audit_event.h"

namespace nestling {

/// How many events came, and where they are.
struct AuditCounts {
  std::uint64_t recorded = 0;  ///< in the file
  std::uint64_t left_out = 0;  ///< behind the limit the user set
  std::uint64_t lost = 0;      ///< the file could not take them, or not fast enough

  friend bool operator==(const AuditCounts&, const AuditCounts&) = default;
};

/// Any thread may record; none of them waits for the file:
///
///     vCPUs, devices ──record()──▶ pending (bounded) ──swap──▶ writer's thread: JSON, write()
///
/// What does not fit is counted, not waited for, and its sequence numbers are missing in the file.
/// Every line is written whole, soon after it happened, so that a run that is killed leaves an
/// audit up to some milliseconds before.
class AuditTrail {
 public:
  /// Events that may wait for the writer.
  static constexpr std::size_t kMostPending = 8192;

  struct Options {
    std::string path;
    /// Events written at most; the rest is counted.
    std::uint64_t limit = UINT64_MAX;
    /// The zero of the events' times.
    std::chrono::steady_clock::time_point start;
    /// The symbol at an address, or an empty text. Called by the writer's thread alone.
    std::function<std::string(GuestVirtAddr)> symbol_at = [](GuestVirtAddr) {
      return std::string();
    };
  };

  /// Creates or replaces the file. Fails with kHostRefused when that, the first line or the thread
  /// is refused.
  [[nodiscard]] static Result<std::unique_ptr<AuditTrail>> create(Options options);

  AuditTrail(const AuditTrail&) = delete;
  AuditTrail& operator=(const AuditTrail&) = delete;
  /// Ends the file as finish() does; an error then has nobody to go to.
  ~AuditTrail();

  /// Takes one event, now. Never fails and never waits for the file.
  void record(AuditEvent event);

  /// Writes what is pending and the last line, which says how many events there were, and closes
  /// the file. Fails with kHostRefused, naming the file and the counts, when any event was lost.
  /// What is recorded afterwards is counted as lost.
  [[nodiscard]] Result<void> finish();

  /// Exact after finish().
  [[nodiscard]] AuditCounts counts() const;

 private:
  struct Pending {
    std::uint64_t sequence = 0;
    std::chrono::nanoseconds time{};
    AuditEvent event;
  };

  AuditTrail(Options options, UniqueFd fd, bool is_regular)
      : options_(std::move(options)), fd_(std::move(fd)), is_regular_(is_regular) {}

  void write_until_finished();
  void write_batch();
  void append_line(const Pending& pending);
  [[nodiscard]] const std::string& quoted_symbol_at(GuestVirtAddr address);
  [[nodiscard]] Result<void> write_text();
  [[nodiscard]] bool is_given_up() const;

  const Options options_;

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable work_;
  std::vector<Pending> pending_;
  std::uint64_t next_sequence_ = 0;
  AuditCounts counts_;
  bool finishing_ = false;
  std::chrono::steady_clock::time_point finishing_since_;

  // The writer's own, until it is joined.
  UniqueFd fd_;
  const bool is_regular_;
  std::vector<Pending> batch_;
  std::string text_;
  std::uint64_t written_bytes_ = 0;
  Result<void> failure_;
  std::unordered_map<std::uint64_t, std::string> symbols_;

  std::thread writer_;
};

}  // namespace nestling
