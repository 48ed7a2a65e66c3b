// A ring of records.
#include "addrspace/audit_log.h"

#include <algorithm>

#include <fmt/core.h>

namespace nestling {

std::string describe(Actor actor) {
  switch (actor.kind) {
    case Actor::Kind::kVmm:
      return "vmm";
    case Actor::Kind::kVcpu:
      return fmt::format("vcpu {}", actor.index);
    case Actor::Kind::kDevice:
      return fmt::format("device {}", actor.index);
  }
  return "?";
}

AuditLog::AuditLog(std::size_t capacity) : ring_(capacity) {}

void AuditLog::record(Actor actor, GuestPhysRange range, Access access, AuditVerdict verdict) {
  AuditRecord record{.actor = actor, .range = range, .access = access, .verdict = verdict};
  {
    const std::lock_guard lock(mutex_);
    record.sequence = count_++;
    if (!ring_.empty()) {
      ring_.at(record.sequence % ring_.size()) = record;
    }
  }
  if (listener_ != nullptr) {
    listener_->recorded(record);
  }
}

std::vector<AuditRecord> AuditLog::records() const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t kept = std::min<std::uint64_t>(count_, ring_.size());
  std::vector<AuditRecord> result;
  result.reserve(kept);
  for (std::uint64_t sequence = count_ - kept; sequence < count_; ++sequence) {
    result.push_back(ring_.at(sequence % ring_.size()));
  }
  return result;
}

}  // namespace nestling
