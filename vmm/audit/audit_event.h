// AuditEvent: one thing the guest, a device or the VMM did that an audit is to tell.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "addrspace/access.h"
#include "addrspace/audit_log.h"
#include "addrspace/range.h"

namespace nestling {

/// Why it is told.
enum class AuditKind : std::uint8_t {
  kFault,      ///< memory that was not there yet
  kViolation,  ///< memory that refuses the access
  kUnclaimed,  ///< neither memory nor a device
  kWatch,      ///< bytes that the user watches
};

/// What became of it.
enum class AuditOutcome : std::uint8_t {
  kPopulated,       ///< the memory is there now
  kAlreadyPresent,  ///< somebody else was faster
  kCompleted,       ///< the access was made
  kDenied,          ///< refused, and the run or the caller was told
  kDiscarded,       ///< a write that had no effect
  kAllOnes,         ///< a read that gave all ones
  kUnmapped,        ///< no memory there, and the caller was told
  kOutOfMemory,     ///< the host had none to give
  kStopped,         ///< it ended the run, as --strict asks
};

[[nodiscard]] constexpr std::string_view name_of(AuditKind kind) {
  switch (kind) {
    case AuditKind::kFault:
      return "fault";
    case AuditKind::kViolation:
      return "violation";
    case AuditKind::kUnclaimed:
      return "unclaimed";
    case AuditKind::kWatch:
      return "watch";
  }
  return "?";
}

[[nodiscard]] constexpr std::string_view name_of(AuditOutcome outcome) {
  switch (outcome) {
    case AuditOutcome::kPopulated:
      return "populated";
    case AuditOutcome::kAlreadyPresent:
      return "already present";
    case AuditOutcome::kCompleted:
      return "completed";
    case AuditOutcome::kDenied:
      return "denied";
    case AuditOutcome::kDiscarded:
      return "discarded";
    case AuditOutcome::kAllOnes:
      return "all ones";
    case AuditOutcome::kUnmapped:
      return "unmapped";
    case AuditOutcome::kOutOfMemory:
      return "out of memory";
    case AuditOutcome::kStopped:
      return "stopped";
  }
  return "?";
}

/// Which instruction the vCPU's program counter names.
enum class ProgramCounterIs : std::uint8_t {
  kAtInstruction,      ///< the one that made the access
  kBehindInstruction,  ///< the one after it: x86 writes to MMIO are told when they are done
  kEither,             ///< KVM does not say: x86 port writes, by hardware or by the emulator
};

/// Where a vCPU was.
struct GuestPlace {
  GuestVirtAddr program_counter;
  ProgramCounterIs is = ProgramCounterIs::kAtInstruction;

  /// An address inside the instruction that made the access, or, for kEither, near it.
  [[nodiscard]] GuestVirtAddr inside() const {
    const std::uint64_t back =
        is == ProgramCounterIs::kBehindInstruction && program_counter.value() != 0 ? 1 : 0;
    return GuestVirtAddr(program_counter.value() - back);
  }

  friend bool operator==(const GuestPlace&, const GuestPlace&) = default;
};

/// What is not known stays empty: nothing in an audit is guessed.
struct AuditEvent {
  AuditKind kind = AuditKind::kFault;
  AuditOutcome outcome = AuditOutcome::kCompleted;
  Actor actor;
  std::variant<GuestPhysAddr, Port> address;
  std::uint64_t size = 0;  ///< bytes
  Access access;
  /// What an access of at most 8 bytes moved, little-endian.
  std::optional<std::uint64_t> data = std::nullopt;
  std::string area = {};   ///< its name; empty where there is none
  std::string watch = {};  ///< the watched range as the user wrote it
  std::optional<GuestPlace> place = std::nullopt;
  std::optional<GuestVirtAddr> virtual_address = std::nullopt;
};

}  // namespace nestling
