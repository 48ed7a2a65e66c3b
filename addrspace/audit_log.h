// AuditLog: a bounded record of who touched what of the guest's memory, and of what was denied.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "addrspace/access.h"
#include "addrspace/range.h"

namespace nestling {

/// On whose behalf the VMM touches guest memory.
struct Actor {
  enum class Kind : std::uint8_t { kVmm, kVcpu, kDevice };

  Kind kind = Kind::kVmm;
  std::uint32_t index = 0;  ///< which vCPU, or which device in the order of attachment

  friend bool operator==(const Actor&, const Actor&) = default;
};

/// "vmm", "vcpu 0", "device 3".
[[nodiscard]] std::string describe(Actor actor);

/// What became of one access.
enum class AuditVerdict : std::uint8_t { kAllowed, kDenied, kUnmapped };

struct AuditRecord {
  std::uint64_t sequence = 0;  ///< counts records since the log began, those that fell out included
  Actor actor;
  GuestPhysRange range;
  Access access;
  AuditVerdict verdict = AuditVerdict::kAllowed;

  friend bool operator==(const AuditRecord&, const AuditRecord&) = default;
};

/// Who is told of every record when it is made.
class AuditListener {
 public:
  virtual ~AuditListener() = default;

  /// Called by the thread that made the access, which may hold the address space's writer lock:
  /// the space may be read, but not changed.
  virtual void recorded(const AuditRecord& record) = 0;
};

/// Keeps the newest records. Thread-safe. Violations are counted whether or not they are recorded.
class AuditLog {
 public:
  /// `capacity`: records kept; memory for them is taken here.
  explicit AuditLog(std::size_t capacity);

  void record(Actor actor, GuestPhysRange range, Access access, AuditVerdict verdict);

  /// From now on `listener`, or nobody when null, is told. Before threads use the space, and after.
  void set_listener(AuditListener* listener) { listener_ = listener; }
  /// True when somebody is told of accesses that fail, whatever their area's policy.
  [[nodiscard]] bool has_listener() const { return listener_ != nullptr; }

  void count_violation() { violations_.fetch_add(1, std::memory_order_relaxed); }

  /// Oldest first.
  [[nodiscard]] std::vector<AuditRecord> records() const;
  /// Accesses that an area's rights denied.
  [[nodiscard]] std::uint64_t violations() const {
    return violations_.load(std::memory_order_relaxed);
  }

 private:
  AuditListener* listener_ = nullptr;
  std::atomic<std::uint64_t> violations_ = 0;
  mutable std::mutex mutex_;  ///< guards what follows
  std::vector<AuditRecord> ring_;
  std::uint64_t count_ = 0;
};

}  // namespace nestling
