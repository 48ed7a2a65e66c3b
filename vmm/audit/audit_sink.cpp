// From the words of memory's own events and records to those of an audit.
#include "vmm/audit/audit_sink.h"

#include <algorithm>

namespace nestling {

namespace {

AuditKind kind_of(MemoryEvent::Kind kind) {
  switch (kind) {
    case MemoryEvent::Kind::kFault:
      return AuditKind::kFault;
    case MemoryEvent::Kind::kViolation:
      return AuditKind::kViolation;
    case MemoryEvent::Kind::kUnclaimed:
      return AuditKind::kUnclaimed;
    case MemoryEvent::Kind::kWatch:
      break;
  }
  return AuditKind::kWatch;
}

AuditOutcome outcome_of(MemoryEvent::Outcome outcome) {
  switch (outcome) {
    case MemoryEvent::Outcome::kPopulated:
      return AuditOutcome::kPopulated;
    case MemoryEvent::Outcome::kPresent:
      return AuditOutcome::kAlreadyPresent;
    case MemoryEvent::Outcome::kCompleted:
      return AuditOutcome::kCompleted;
    case MemoryEvent::Outcome::kDiscarded:
      return AuditOutcome::kDiscarded;
    case MemoryEvent::Outcome::kReadOnes:
      return AuditOutcome::kAllOnes;
    case MemoryEvent::Outcome::kOutOfMemory:
      return AuditOutcome::kOutOfMemory;
    case MemoryEvent::Outcome::kStopped:
      break;
  }
  return AuditOutcome::kStopped;
}

Direction direction_of(Access access) {
  return access == Access::write() ? Direction::kWrite : Direction::kRead;
}

}  // namespace

Result<void> AuditSink::listen() {
  const auto ranges = watches_ == nullptr ? std::span<const WatchRange>() : watches_->ranges();
  for (const WatchRange& watched : ranges) {
    if (const auto done = space_.set_audit_policy(watched.pages(), AuditPolicy::kAll); !done) {
      return failure(make_error(ErrorKind::kUsage, "--watch {}: {:#x}-{:#x}: {}", watched.text,
                                watched.range.start().value(), watched.range.last().value(),
                                describe(done.error())));
    }
  }
  space_.set_audit_listener(this);
  return {};
}

std::string AuditSink::area_at(GuestPhysAddr address) const {
  std::string name;
  space_.visit_areas(GuestPhysRange::of(address, 1), [&](const Area& area) { name = *area.name; });
  return name;
}

std::string AuditSink::watch_hit_by(GuestPhysAddr start, std::uint64_t size, Access access) const {
  const auto bytes = GuestPhysRange::make(start, std::max<std::uint64_t>(size, 1));
  const bool is_asked = watches_ != nullptr && bytes;
  const WatchRange* const watched = is_asked ? watches_->hit_by(*bytes, access) : nullptr;
  return watched == nullptr ? std::string() : watched->text;
}

/// With what is known of the guest's own part in it.
void AuditSink::record(AuditEvent event, const AccessSeen& seen) {
  if (event.actor.kind == Actor::Kind::kVcpu && origin_of_) {
    const AccessOrigin origin = origin_of_(event.actor.index, seen);
    event.place = origin.place;
    event.virtual_address = origin.virtual_address;
  }
  trail_.record(std::move(event));
}

/// In a trapped page every access is an exit, and finds memory that is there.
bool AuditSink::is_only_a_trap(const MemoryEvent& event) const {
  return event.kind == MemoryEvent::Kind::kFault &&
         event.outcome == MemoryEvent::Outcome::kPresent && watches_ != nullptr &&
         watches_->traps(event.gpa);
}

void AuditSink::tell(const MemoryEvent& event) {
  if (is_only_a_trap(event)) {
    return;
  }
  record(
      {.kind = kind_of(event.kind),
       .outcome = outcome_of(event.outcome),
       .actor = event.actor,
       .address = event.gpa,
       .size = event.size,
       .access = event.access,
       .data = event.data,
       .area = area_at(event.gpa),
       .watch = watch_hit_by(event.gpa, event.size, event.access)},
      {.way = AccessSeen::Way::kMemory, .direction = direction_of(event.access), .gpa = event.gpa});
}

void AuditSink::tell_port(const PortEvent& event) {
  record({.kind = AuditKind::kUnclaimed,
          .outcome = outcome_of(event.outcome),
          .actor = event.actor,
          .address = event.port,
          .size = event.size,
          .access = event.access,
          .data = event.data},
         {.way = AccessSeen::Way::kPort, .direction = direction_of(event.access), .gpa = {}});
}

void AuditSink::recorded(const AuditRecord& record) {
  if (record.actor.kind == Actor::Kind::kVcpu || record.range.is_empty()) {
    return;
  }
  AuditEvent event{.actor = record.actor,
                   .address = record.range.start(),
                   .size = record.range.size(),
                   .access = record.access};
  event.watch = watch_hit_by(record.range.start(), record.range.size(), record.access);
  switch (record.verdict) {
    case AuditVerdict::kAllowed:
      if (event.watch.empty()) {
        return;  // beside the watched bytes, in one page with them
      }
      event.kind = AuditKind::kWatch;
      event.outcome = AuditOutcome::kCompleted;
      break;
    case AuditVerdict::kDenied:
      event.kind = AuditKind::kViolation;
      event.outcome = AuditOutcome::kDenied;
      break;
    case AuditVerdict::kUnmapped:
      event.kind = AuditKind::kUnclaimed;
      event.outcome = AuditOutcome::kUnmapped;
      break;
  }
  event.area = area_at(record.range.start());
  trail_.record(std::move(event));
}

}  // namespace nestling
