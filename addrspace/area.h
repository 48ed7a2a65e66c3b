// Area: a range of guest-physical addresses with one backend, one set of rights and one name.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "addrspace/access.h"
#include "addrspace/memory_type.h"
#include "addrspace/range.h"

namespace nestling {

/// Where an area's frames come from.
enum class Backend : std::uint8_t {
  kLinear,  ///< frames that exist already, all mapped at once, never freed by the area
  kAlloc,   ///< an extent of the pool of the area's own, committed as it is populated
};

/// What of an area's use the audit log keeps.
enum class AuditPolicy : std::uint8_t {
  kOff,         ///< nothing; denied accesses are still counted
  kViolations,  ///< denied accesses
  kAll,         ///< every access that passes through the VMM, and every fault
};

[[nodiscard]] constexpr std::string_view name_of(Backend backend) {
  return backend == Backend::kLinear ? "linear" : "alloc";
}

/// A count that one thread changes and others read. Copied as a number is.
class SharedCount {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a number with another way of being read.
  SharedCount(std::uint64_t value) : value_(value) {}
  SharedCount(const SharedCount& other) : value_(other.get()) {}
  SharedCount(SharedCount&& other) noexcept : value_(other.get()) {}
  SharedCount& operator=(const SharedCount& other) {
    set(other.get());
    return *this;
  }
  SharedCount& operator=(SharedCount&& other) noexcept {
    set(other.get());
    return *this;
  }
  ~SharedCount() = default;

  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_;
};

/// One area. Its frames are contiguous: byte i of the area is byte `host` + i of the pool.
struct Area {
  /// `resident` of an area that was split while partly populated: nobody has counted since.
  static constexpr std::uint64_t kNotCounted = UINT64_MAX;

  GuestPhysRange range;  ///< 4 KiB-aligned, not empty
  HostPhysAddr host;
  const std::string* name = nullptr;  ///< lives as long as the address space
  Backend backend = Backend::kLinear;
  Access access;
  MemoryType type = MemoryType::kWriteBack;
  AuditPolicy audit = AuditPolicy::kOff;
  /// Populated bytes, or kNotCounted. Only a thread that holds the writer's lock changes it.
  SharedCount resident = 0;

  [[nodiscard]] bool is_full() const { return resident.get() == range.size(); }

  /// The HPA behind `gpa`, which lies in the area.
  [[nodiscard]] HostPhysAddr host_of(GuestPhysAddr gpa) const {
    return HostPhysAddr(host.value() + (gpa.value() - range.start().value()));
  }
  /// The extent behind `part`, which lies in the area.
  [[nodiscard]] HostPhysRange host_range(GuestPhysRange part) const {
    return HostPhysRange::of(host_of(part.start()), part.size());
  }

  /// The area that `part` of this one is by itself.
  [[nodiscard]] Area piece(GuestPhysRange part) const;
  /// True when `next` starts where this area ends, in guest and host, and nothing sets them apart.
  [[nodiscard]] bool continues_in(const Area& next) const;
  /// This area and `next`, which continues it, as one.
  [[nodiscard]] Area joined_with(const Area& next) const;
};

}  // namespace nestling
