// The Chrome trace event format, streamed.
#include "vmm/exit_trace.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <span>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace nestling {

namespace {

constexpr std::size_t kFlushAt = std::size_t{64} << 10;
constexpr std::string_view kTrailer = "\n]}\n";
/// The format wants a process; ours is the VM. Tracks count from 1, because 0 means "idle" there.
constexpr int kProcess = 1;

constexpr std::uint32_t track(std::uint32_t vcpu) { return vcpu + 1; }
/// Behind all vCPUs there can be.
constexpr std::uint32_t kPagerTrack = 1000;

/// Text from outside as a JSON string.
std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Nanoseconds in the format's unit, microseconds, without losing any.
std::string microseconds(std::chrono::nanoseconds time) {
  const auto ns = std::max<std::int64_t>(time.count(), 0);
  return fmt::format("{}.{:03}", ns / 1000, ns % 1000);
}

Result<void> write_all_at(int fd, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    } else if (errno != EINTR) {
      return failure(host_error("write", errno));
    }
  }
  return {};
}

void append_event(std::string& out, std::uint32_t vcpu, std::string_view name,
                  const ExitTiming& timing) {
  const bool guest = name == "guest";
  const auto start = guest ? timing.guest_start : timing.exit;
  const auto end = guest ? timing.exit : timing.handled;
  fmt::format_to(std::back_inserter(out),
                 ",\n{{\"ph\":\"X\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},\"name\":\"{}\"",
                 kProcess, track(vcpu), microseconds(start), microseconds(end - start), name);
}

}  // namespace

Result<std::unique_ptr<ExitTrace>> ExitTrace::create(const std::string& path,
                                                     std::string_view process_name) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) {
    return failure(host_error(fmt::format("cannot open {} for the exit trace", path), errno));
  }
  struct stat status {};
  const bool overwritable = fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  std::unique_ptr<ExitTrace> trace(new ExitTrace(path, std::move(fd), overwritable));
  trace->buffer_.reserve(kFlushAt + 4096);
  trace->buffer_ = fmt::format(
      "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
      "{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_name\",\"args\":{{\"name\":{}}}}}",
      kProcess, quoted(process_name));
  // At once, so that a file that takes nothing is known before the guest starts.
  trace->flush();
  if (!trace->failure_) {
    return failure(trace->failure_.error());
  }
  return trace;
}

ExitTrace::~ExitTrace() {
  if (fd_) {
    (void)finish().has_value();
  }
}

void ExitTrace::name_track(std::uint32_t track, std::string_view name) {
  if (std::find(named_tracks_.begin(), named_tracks_.end(), track) != named_tracks_.end()) {
    return;
  }
  named_tracks_.push_back(track);
  fmt::format_to(std::back_inserter(buffer_),
                 ",\n{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_name\","
                 "\"args\":{{\"name\":\"{}\"}}}}",
                 kProcess, track, name);
}

void ExitTrace::flush_when_full() {
  if (buffer_.size() >= kFlushAt) {
    flush();
  }
}

void ExitTrace::record(const FaultMark& fault) {
  const std::lock_guard lock(mutex_);
  if (!can_record()) {
    return;
  }
  const std::uint32_t on = fault.vcpu ? track(*fault.vcpu) : kPagerTrack;
  name_track(on, fault.vcpu ? fmt::format("vCPU {}", *fault.vcpu) : "pager");
  const MemoryEvent& event = fault.event;
  const char* const access = event.access == Access::write()     ? "write"
                             : event.access == Access::read()    ? "read"
                             : event.access == Access::execute() ? "fetch"
                                                                 : "access";
  fmt::format_to(std::back_inserter(buffer_),
                 ",\n{{\"ph\":\"i\",\"s\":\"t\",\"pid\":{},\"tid\":{},\"ts\":{},"
                 "\"name\":\"fault {:#x}\",\"cat\":\"fault\",\"args\":{{\"actor\":\"{}\","
                 "\"address\":\"{:#x}\",\"access\":\"{}\",\"outcome\":\"{}\"}}}}",
                 kProcess, on, microseconds(fault.time), event.gpa.value(), describe(event.actor),
                 event.gpa.value(), access, nestling::name_of(event.outcome));
  flush_when_full();
}

void ExitTrace::record(std::uint32_t vcpu, const ExitTiming& timing, const ExitRecord& exit) {
  const std::lock_guard lock(mutex_);
  if (!can_record()) {
    ++lost_exits_;
    return;
  }
  name_track(track(vcpu), fmt::format("vCPU {}", vcpu));
  append_event(buffer_, vcpu, "guest", timing);
  buffer_ += '}';
  const std::string_view kind = exit_kind_name(exit.kind);
  const auto out = std::back_inserter(buffer_);
  if (exit.size != 0) {
    append_event(buffer_, vcpu,
                 fmt::format("{} {} {:#x}", kind, name(exit.direction), exit.address), timing);
    // Addresses as text: a JSON number above 2^53 loses bits in most readers.
    fmt::format_to(out,
                   ",\"cat\":\"{}\",\"args\":{{\"kind\":\"{}\",\"address\":\"{:#x}\",\"size\":{},"
                   "\"direction\":\"{}\",\"value\":\"{:#x}\"}}}}",
                   kind, kind, exit.address, exit.size, name(exit.direction), exit.value);
  } else {
    append_event(buffer_, vcpu, kind, timing);
    fmt::format_to(out, ",\"cat\":\"{}\",\"args\":{{\"kind\":\"{}\",\"detail\":\"{}\"}}}}", kind,
                   kind, describe(exit));
  }
  ++buffered_exits_;
  flush_when_full();
}

Result<void> ExitTrace::write_with_trailer() {
  const std::size_t size = buffer_.size();
  buffer_ += kTrailer;
  const Result<void> written = write_all_at(fd_.get(), committed_, buffer_);
  if (!written) {
    // Put the end back where it was: those bytes are allocated already, a full disk takes them.
    (void)write_all_at(fd_.get(), committed_, kTrailer).has_value();
    (void)ftruncate(fd_.get(), static_cast<off_t>(committed_ + kTrailer.size()));
    return failure(written.error());
  }
  committed_ += size;
  return {};
}

void ExitTrace::flush() {
  const Result<void> written = overwritable_
                                   ? write_with_trailer()
                                   : write_all(fd_.get(), std::as_bytes(std::span(buffer_)));
  if (written) {
    committed_exits_ += buffered_exits_;
  } else {
    lost_exits_ += buffered_exits_;
    failure_ = failure(
        make_error(written.error().kind, "exit trace {}: {}", path_, written.error().message));
  }
  buffered_exits_ = 0;
  buffer_.clear();
}

Result<void> ExitTrace::finish() {
  const std::lock_guard lock(mutex_);
  if (fd_ && failure_) {
    if (!overwritable_) {
      buffer_ += kTrailer;
    }
    flush();
  }
  fd_ = UniqueFd();
  if (!failure_) {
    return failure(make_error(failure_.error().kind, "{} ({} exits are in it, {} are lost)",
                              failure_.error().message, committed_exits_, lost_exits_));
  }
  return {};
}

}  // namespace nestling
