// MemoryEvent: something that happened to guest memory and that somebody may want to know of; and
// PortEvent, its like for ports.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "addrspace/access.h"
#include "addrspace/audit_log.h"
#include "addrspace/range.h"

namespace nestling {

/// One access, and what became of it.
struct MemoryEvent {
  enum class Kind : std::uint8_t {
    kFault,      ///< of memory that was not populated
    kViolation,  ///< that an area's rights deny
    kUnclaimed,  ///< of an address where neither memory nor a device is
    kWatch,      ///< of a watched range
  };
  enum class Outcome : std::uint8_t {
    kPopulated,    ///< frames came into being
    kPresent,      ///< they were there already
    kCompleted,    ///< made, on behalf of the guest, through the view
    kDiscarded,    ///< a write that had no effect
    kReadOnes,     ///< a read that gave all ones
    kOutOfMemory,  ///< nothing could be populated: the run ends
    kStopped,      ///< the run ends, as --strict asks
  };

  Kind kind = Kind::kFault;
  Actor actor;
  GuestPhysAddr gpa;
  std::uint64_t size = 0;  ///< bytes; 0 where only the page is known
  Access access;           ///< none where it is not known which
  Outcome outcome = Outcome::kPopulated;
  /// What an access of at most 8 bytes moved, little-endian, where that is known.
  std::optional<std::uint64_t> data = std::nullopt;

  friend bool operator==(const MemoryEvent&, const MemoryEvent&) = default;
};

/// One access of a port that no device claims.
struct PortEvent {
  Actor actor;
  Port port;
  std::uint64_t size = 0;  ///< bytes
  Access access;
  MemoryEvent::Outcome outcome = MemoryEvent::Outcome::kDiscarded;
  std::optional<std::uint64_t> data = std::nullopt;  ///< as for memory

  friend bool operator==(const PortEvent&, const PortEvent&) = default;
};

[[nodiscard]] constexpr std::string_view name_of(MemoryEvent::Kind kind) {
  switch (kind) {
    case MemoryEvent::Kind::kFault:
      return "fault";
    case MemoryEvent::Kind::kViolation:
      return "violation";
    case MemoryEvent::Kind::kUnclaimed:
      return "unclaimed";
    case MemoryEvent::Kind::kWatch:
      return "watch";
  }
  return "?";
}

[[nodiscard]] constexpr std::string_view name_of(MemoryEvent::Outcome outcome) {
  switch (outcome) {
    case MemoryEvent::Outcome::kPopulated:
      return "populated";
    case MemoryEvent::Outcome::kPresent:
      return "present";
    case MemoryEvent::Outcome::kCompleted:
      return "completed";
    case MemoryEvent::Outcome::kDiscarded:
      return "discarded";
    case MemoryEvent::Outcome::kReadOnes:
      return "read-ones";
    case MemoryEvent::Outcome::kOutOfMemory:
      return "out-of-memory";
    case MemoryEvent::Outcome::kStopped:
      return "stopped";
  }
  return "?";
}

/// Who wants to know. Any thread may tell: the vCPU's own for what the guest did, so that it may
/// read that vCPU's registers; the pager's, a device's.
class MemoryEventSink {
 public:
  virtual ~MemoryEventSink() = default;

  virtual void tell(const MemoryEvent& event) = 0;
  virtual void tell_port(const PortEvent& /*event*/) {}
};

}  // namespace nestling
