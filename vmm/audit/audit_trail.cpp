// JSON lines from a bounded queue, and a file that may be full, slow or stuck.
#include "vmm/audit/audit_trail.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "base/thread.h"

namespace nestling {

namespace {

using std::chrono::steady_clock;

/// Of the lines: grows when a name changes its meaning.
constexpr int kAuditVersion = 1;
/// How long the writer lets events gather, so that one write takes many.
constexpr std::chrono::milliseconds kGather{10};
/// How long a reader that takes nothing holds up the end of a run.
constexpr std::chrono::seconds kPatience{2};
constexpr std::size_t kFlushAt = std::size_t{64} << 10;
constexpr std::size_t kMostSymbols = 4096;

/// Text from outside as a JSON string.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Addresses as text: a JSON number above 2^53 loses bits in most readers.
template <typename AddressType>
std::string hex_or_null(const std::optional<AddressType>& address) {
  return address ? fmt::format("\"{:#x}\"", address->value()) : "null";
}

std::string json_text_or_null(const std::string& text) {
  return text.empty() ? "null" : json_text(text);
}

std::string letters(Access access) {
  std::string text;
  for (const auto& [right, letter] :
       {std::pair{Access::read(), 'r'}, {Access::write(), 'w'}, {Access::execute(), 'x'}}) {
    if (access.allows(right)) {
      text += letter;
    }
  }
  return text;
}

/// "pc" is "at" the instruction, "behind" it, or nobody knows.
std::string_view name_or_null(const std::optional<GuestPlace>& place) {
  if (!place) {
    return "null";
  }
  switch (place->is) {
    case ProgramCounterIs::kAtInstruction:
      return "\"at\"";
    case ProgramCounterIs::kBehindInstruction:
      return "\"behind\"";
    case ProgramCounterIs::kEither:
      break;
  }
  return "null";
}

Error cannot_write(const std::string& path, int error_number) {
  return host_error(fmt::format("audit {}: write", path), error_number);
}

}  // namespace

Result<std::unique_ptr<AuditTrail>> AuditTrail::create(Options options) {
  UniqueFd fd(open(options.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!fd) {
    return failure(host_error(fmt::format("cannot open {} for the audit", options.path), errno));
  }
  struct stat status {};
  const bool is_regular = fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode);
  // A pipe's reader may fall asleep; the run must be able to end all the same.
  if (!is_regular && fcntl(fd.get(), F_SETFL, O_WRONLY | O_NONBLOCK) != 0) {
    return failure(host_error(fmt::format("audit {}: fcntl", options.path), errno));
  }
  std::unique_ptr<AuditTrail> trail(new AuditTrail(std::move(options), std::move(fd), is_regular));
  trail->pending_.reserve(kMostPending);
  trail->batch_.reserve(kMostPending);
  // At once, so that a file that takes nothing is known before the guest starts.
  trail->text_ = fmt::format("{{\"kind\":\"start\",\"audit_version\":{}}}\n", kAuditVersion);
  if (auto written = trail->write_text(); !written) {
    return failure(written.error());
  }
  auto writer = start_thread("the audit", [&audit = *trail] { audit.write_until_finished(); });
  if (!writer) {
    return failure(writer.error());
  }
  trail->writer_ = *std::move(writer);
  return trail;
}

AuditTrail::~AuditTrail() {
  if (writer_.joinable()) {
    (void)finish().has_value();
  }
}

void AuditTrail::record(AuditEvent event) {
  const auto time = steady_clock::now() - options_.start;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t sequence = next_sequence_++;
    if (finishing_ || pending_.size() == kMostPending) {
      ++counts_.lost;
      return;
    }
    if (sequence - counts_.lost >= options_.limit) {
      ++counts_.left_out;
      return;
    }
    pending_.push_back({sequence, time, std::move(event)});
    wake = pending_.size() == 1 || pending_.size() == kMostPending / 2;
  }
  if (wake) {
    work_.notify_one();
  }
}

const std::string& AuditTrail::quoted_symbol_at(GuestVirtAddr address) {
  const auto known = symbols_.find(address.value());
  if (known != symbols_.end()) {
    return known->second;
  }
  if (symbols_.size() == kMostSymbols) {
    symbols_.clear();
  }
  return symbols_[address.value()] = json_text_or_null(options_.symbol_at(address));
}

void AuditTrail::append_line(const Pending& pending) {
  const AuditEvent& event = pending.event;
  std::optional<GuestPhysAddr> gpa;
  std::optional<Port> port;
  if (const auto* memory = std::get_if<GuestPhysAddr>(&event.address)) {
    gpa = *memory;
  } else {
    port = std::get<Port>(event.address);
  }
  std::optional<GuestVirtAddr> program_counter;
  if (event.place) {
    program_counter = event.place->program_counter;
  }
  const auto out = std::back_inserter(text_);
  fmt::format_to(out, "{{\"seq\":{},\"time_ns\":{},\"kind\":\"{}\",\"actor\":\"{}\"",
                 pending.sequence, pending.time.count(), name_of(event.kind),
                 describe(event.actor));
  fmt::format_to(out, ",\"pc\":{},\"pc_is\":{},\"symbol\":{}", hex_or_null(program_counter),
                 name_or_null(event.place),
                 event.place ? std::string_view(quoted_symbol_at(event.place->inside())) : "null");
  fmt::format_to(out, ",\"gpa\":{},\"port\":{},\"gva\":{},\"size\":{},\"access\":\"{}\"",
                 hex_or_null(gpa), hex_or_null(port), hex_or_null(event.virtual_address),
                 event.size, letters(event.access));
  const std::string data = event.data ? fmt::format("\"{:#x}\"", *event.data) : "null";
  fmt::format_to(out, ",\"data\":{},\"area\":{},\"watch\":{},\"verdict\":\"{}\"}}\n", data,
                 json_text_or_null(event.area), json_text_or_null(event.watch),
                 name_of(event.outcome));
}

bool AuditTrail::is_given_up() const {
  const std::lock_guard lock(mutex_);
  return finishing_ && steady_clock::now() - finishing_since_ > kPatience;
}

/// Writes all of text_ and empties it; when that fails, a regular file ends where it was.
Result<void> AuditTrail::write_text() {
  std::string_view rest = text_;
  int error_number = 0;
  while (!rest.empty() && error_number == 0) {
    const ssize_t written = write(fd_.get(), rest.data(), rest.size());
    if (written >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN && !is_given_up()) {
      pollfd room{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
      constexpr int kTurnMs = 100;
      (void)poll(&room, 1, kTurnMs);
    } else if (errno != EINTR) {
      error_number = errno;
    }
  }
  const std::uint64_t size = text_.size();
  text_.clear();
  if (error_number == 0) {
    written_bytes_ += size;
    return {};
  }
  if (is_regular_) {
    (void)ftruncate(fd_.get(), static_cast<off_t>(written_bytes_));
  }
  return failure(cannot_write(options_.path, error_number));
}

void AuditTrail::write_batch() {
  std::uint64_t recorded = 0;
  std::uint64_t in_text = 0;
  const auto flush = [&] {
    failure_ = write_text();
    recorded += failure_ ? in_text : 0;
    in_text = 0;
  };
  for (const Pending& pending : batch_) {
    if (!failure_) {
      break;
    }
    append_line(pending);
    ++in_text;
    if (text_.size() >= kFlushAt) {
      flush();
    }
  }
  if (failure_ && in_text != 0) {
    flush();
  }
  const std::lock_guard lock(mutex_);
  counts_.recorded += recorded;
  counts_.lost += batch_.size() - recorded;
  batch_.clear();
}

void AuditTrail::write_until_finished() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [&] { return finishing_ || !pending_.empty(); });
    work_.wait_for(lock, kGather,
                   [&] { return finishing_ || pending_.size() >= kMostPending / 2; });
    if (pending_.empty()) {
      return;
    }
    std::swap(pending_, batch_);
    lock.unlock();
    write_batch();
    lock.lock();
  }
}

Result<void> AuditTrail::finish() {
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    finishing_since_ = steady_clock::now();
  }
  work_.notify_one();
  if (writer_.joinable()) {
    writer_.join();
    const AuditCounts counts = this->counts();
    text_ = fmt::format("{{\"kind\":\"end\",\"recorded\":{},\"left_out\":{},\"lost\":{}}}\n",
                        counts.recorded, counts.left_out, counts.lost);
    // Tried on a full disk as well: it may have room for so little.
    const Result<void> ended = write_text();
    if (failure_) {
      failure_ = ended;
    }
    fd_ = UniqueFd();
  }
  const AuditCounts counts = this->counts();
  if (!failure_) {
    return failure(make_error(failure_.error().kind, "{} ({} events are in it, {} are lost)",
                              failure_.error().message, counts.recorded, counts.lost));
  }
  if (counts.lost != 0) {
    return failure(make_error(ErrorKind::kHostRefused,
                              "audit {}: not written fast enough ({} events are in it, {} are "
                              "lost)",
                              options_.path, counts.recorded, counts.lost));
  }
  return {};
}

AuditCounts AuditTrail::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace nestling
