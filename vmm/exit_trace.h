// ExitTrace: every exit of every vCPU with its times, as a Chrome trace that Perfetto opens.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.h"
#include "base/result.h"
#include "vmm/exit_record.h"
#include "vmm/memory/memory_event.h"

namespace nestling {

/// When one exit happened, counted from the start of the run.
///
///     guest_start      exit             handled
///         |---- guest ---|--- handling ---|
struct ExitTiming {
  std::chrono::nanoseconds guest_start{};
  std::chrono::nanoseconds exit{};
  std::chrono::nanoseconds handled{};
};

/// Memory that came into being, or did not, at one moment of the run.
struct FaultMark {
  std::chrono::nanoseconds time{};
  /// On whose track it stands; nothing for the pager's, who serves them all.
  std::optional<std::uint32_t> vcpu;
  MemoryEvent event;
};

/// Writes a trace file while the guest runs, through a buffer of bounded size. In a regular file
/// what is on disk is complete JSON after every flush, so a run that is killed leaves a trace that
/// opens. Any thread may record.
class ExitTrace {
 public:
  /// Creates or replaces the file at `path`; `process_name` becomes the title of the tracks.
  /// Fails with kHostRefused when the file cannot be opened or written.
  [[nodiscard]] static Result<std::unique_ptr<ExitTrace>> create(const std::string& path,
                                                                 std::string_view process_name);

  ExitTrace(const ExitTrace&) = delete;
  ExitTrace& operator=(const ExitTrace&) = delete;
  /// Writes out what is buffered; an error then has nobody to go to, so call finish() first.
  ~ExitTrace();

  /// Adds one exit of vCPU number `vcpu`. Never fails: when the file can take no more, the trace
  /// ends there and finish() says so.
  void record(std::uint32_t vcpu, const ExitTiming& timing, const ExitRecord& exit);

  /// Adds a fault, as record() adds an exit.
  void record(const FaultMark& fault);

  /// Writes the rest and closes the file. Fails with kHostRefused, naming the file, the reason and
  /// how many exits are in it, when some could not be written.
  [[nodiscard]] Result<void> finish();

 private:
  ExitTrace(std::string path, UniqueFd fd, bool overwritable)
      : path_(std::move(path)), fd_(std::move(fd)), overwritable_(overwritable) {}

  [[nodiscard]] bool can_record() const { return fd_ && failure_.has_value(); }
  void name_track(std::uint32_t track, std::string_view name);
  void flush_when_full();
  void flush();
  [[nodiscard]] Result<void> write_with_trailer();

  const std::string path_;
  std::mutex mutex_;
  UniqueFd fd_;
  /// A regular file, whose trailer the next flush can overwrite.
  const bool overwritable_;
  std::string buffer_;
  /// Bytes of the file in front of the trailer.
  std::uint64_t committed_ = 0;
  std::uint64_t committed_exits_ = 0;
  std::uint64_t buffered_exits_ = 0;
  std::uint64_t lost_exits_ = 0;
  Result<void> failure_;
  std::vector<std::uint32_t> named_tracks_;
};

}  // namespace nestling
