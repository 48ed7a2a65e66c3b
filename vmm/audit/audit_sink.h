// AuditSink: turns what happened to guest memory into the events of an audit, with where the guest
// was and which watched range was hit.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "addrspace/address_space.h"
#include "addrspace/audit_log.h"
#include "vmm/access_origin.h"
#include "vmm/audit/audit_event.h"
#include "vmm/audit/audit_trail.h"
#include "vmm/audit/watch_list.h"
#include "vmm/memory/memory_event.h"

namespace nestling {

/// Hears of everything twice over, and tells each thing once: what vCPUs do comes as MemoryEvents
/// from those who serve their exits and faults, what devices and the VMM do comes from the address
/// space's audit log. Thread-safe.
class AuditSink final : public MemoryEventSink, public AuditListener {
 public:
  /// origin_of_access() for vCPU `index`; asked on the thread that handles its exit.
  using OriginOf = std::function<AccessOrigin(std::uint32_t index, const AccessSeen& seen)>;

  /// All must outlive this; `watches` may be null.
  AuditSink(AuditTrail& trail, const WatchList* watches, AddressSpace& space)
      : trail_(trail), watches_(watches), space_(space) {}
  AuditSink(const AuditSink&) = delete;
  AuditSink& operator=(const AuditSink&) = delete;
  ~AuditSink() override { stop_listening(); }

  /// From now on the space's audit log is listened to, and keeps what is done in watched ranges.
  /// All areas must be there. Fails with kUsage when a watched range is not all in areas.
  [[nodiscard]] Result<void> listen();
  /// Once nobody uses the space any more but to look at what a run left behind.
  void stop_listening() { space_.set_audit_listener(nullptr); }
  /// Before the first vCPU runs.
  void set_origin_of(OriginOf origin_of) { origin_of_ = std::move(origin_of); }

  void tell(const MemoryEvent& event) override;
  void tell_port(const PortEvent& event) override;
  void recorded(const AuditRecord& record) override;

 private:
  [[nodiscard]] bool is_only_a_trap(const MemoryEvent& event) const;
  [[nodiscard]] std::string area_at(GuestPhysAddr address) const;
  [[nodiscard]] std::string watch_hit_by(GuestPhysAddr start, std::uint64_t size,
                                         Access access) const;
  void record(AuditEvent event, const AccessSeen& seen);

  AuditTrail& trail_;
  const WatchList* watches_;
  AddressSpace& space_;
  OriginOf origin_of_;
};

}  // namespace nestling
