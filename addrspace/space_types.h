// The plain types in AddressSpace's interface: what is asked for, and what is answered.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "addrspace/area.h"
#include "addrspace/page_size.h"
#include "addrspace/range.h"
#include "base/check.h"

namespace nestling {

/// What a new area is to be like.
struct AreaOptions {
  std::string_view name;
  Access access = Access::all();
  MemoryType type = MemoryType::kWriteBack;
  AuditPolicy audit = AuditPolicy::kOff;
};

/// When an allocating area gets its frames.
enum class Populate : std::uint8_t { kNow, kOnTouch };

/// What becomes of a VMM-side access to memory that is mapped but not populated.
enum class Unpopulated : std::uint8_t { kFails, kIsPopulated };

/// Why an address has no translation.
enum class Missing : std::uint8_t {
  kOutsideSpace,
  kNoArea,
  kNotPopulated,  ///< an area is there; its frame will come with the first access
};

[[nodiscard]] constexpr std::string_view name_of(Missing missing) {
  switch (missing) {
    case Missing::kOutsideSpace:
      return "outside the address space";
    case Missing::kNoArea:
      return "no area";
    case Missing::kNotPopulated:
      return "not populated";
  }
  return "?";
}

/// What translate() answers: an HPA, or why there is none. One word, which stays in a register;
/// used as a Result is.
class Translation {
 public:
  [[nodiscard]] static constexpr Translation found(HostPhysAddr host) {
    return Translation(host.value());
  }
  [[nodiscard]] static constexpr Translation missing(Missing reason) {
    return Translation(kIsMissing | static_cast<std::uint64_t>(reason));
  }

  [[nodiscard]] constexpr bool has_value() const { return (raw_ & kIsMissing) == 0; }
  constexpr explicit operator bool() const { return has_value(); }
  /// The HPA; aborts when there is none.
  [[nodiscard]] constexpr HostPhysAddr value() const {
    check(has_value(), "value() of an address without translation");
    return HostPhysAddr(raw_);
  }
  [[nodiscard]] constexpr HostPhysAddr operator*() const { return value(); }
  /// The reason; aborts when there is an HPA.
  [[nodiscard]] constexpr Missing error() const {
    check(!has_value(), "error() of a translation");
    return static_cast<Missing>(raw_ & ~kIsMissing);
  }

 private:
  static constexpr std::uint64_t kIsMissing = 1ULL << 63;  // a pool is smaller than 2^63 bytes

  constexpr explicit Translation(std::uint64_t raw) : raw_(raw) {}

  std::uint64_t raw_;
};

/// What translate_and_get_limit() answers: where the bytes are and how many, never none; or why
/// there are none. Two words; used as a Result is.
class Limit {
 public:
  [[nodiscard]] static constexpr Limit found(HostPhysRange bytes) { return Limit(bytes); }
  [[nodiscard]] static constexpr Limit missing(Missing reason) {
    return Limit(HostPhysRange::of(HostPhysAddr(static_cast<std::uint64_t>(reason)), 0));
  }

  [[nodiscard]] constexpr bool has_value() const { return !bytes_.is_empty(); }
  constexpr explicit operator bool() const { return has_value(); }
  /// The bytes; aborts when there are none.
  [[nodiscard]] constexpr const HostPhysRange& value() const {
    check(has_value(), "value() of a limit of nothing");
    return bytes_;
  }
  [[nodiscard]] constexpr const HostPhysRange& operator*() const { return value(); }
  [[nodiscard]] constexpr const HostPhysRange* operator->() const { return &value(); }
  /// The reason; aborts when there are bytes.
  [[nodiscard]] constexpr Missing error() const {
    check(!has_value(), "error() of a limit");
    return static_cast<Missing>(bytes_.start().value());
  }

 private:
  constexpr explicit Limit(HostPhysRange bytes) : bytes_(bytes) {}

  HostPhysRange bytes_;  // empty: starts at the number of the reason
};

/// What query() knows about one page.
struct PageInfo {
  HostPhysAddr host;  ///< of the byte asked for
  Access access;
  MemoryType type = MemoryType::kWriteBack;  ///< as the entry format honours it
  PageSize page_size = PageSize::k4KiB;
  std::string_view area;  ///< its name; lives as long as the address space
};

/// What a page fault comes to.
enum class FaultOutcome : std::uint8_t {
  kResolved,        ///< populated now: run again
  kAlreadyPresent,  ///< somebody else was faster, or nothing was missing: run again
  kDenied,          ///< the area refuses the access
  kNoArea,          ///< nothing is mapped there: a device, or a wild access
  kOutOfMemory,     ///< the pool refuses, or there is no room for tables
  kRefused,         ///< an observer refuses: it knows why
};

inline constexpr std::array kFaultOutcomes = {
    FaultOutcome::kResolved, FaultOutcome::kAlreadyPresent, FaultOutcome::kDenied,
    FaultOutcome::kNoArea,   FaultOutcome::kOutOfMemory,    FaultOutcome::kRefused};

[[nodiscard]] constexpr std::string_view name_of(FaultOutcome outcome) {
  switch (outcome) {
    case FaultOutcome::kResolved:
      return "resolved";
    case FaultOutcome::kAlreadyPresent:
      return "already present";
    case FaultOutcome::kDenied:
      return "denied";
    case FaultOutcome::kNoArea:
      return "no area";
    case FaultOutcome::kOutOfMemory:
      return "out of memory";
    case FaultOutcome::kRefused:
      return "refused";
  }
  return "?";
}

struct FaultResult {
  FaultOutcome outcome = FaultOutcome::kNoArea;
  /// kResolved: what is populated now around the address, part of which may have been before.
  GuestPhysRange populated;

  friend bool operator==(const FaultResult&, const FaultResult&) = default;
};

/// Bytes by the size of the page that maps them.
struct BytesByPageSize {
  std::array<std::uint64_t, kPageSizes.size()> bytes{};

  [[nodiscard]] std::uint64_t& operator[](PageSize size) { return bytes.at(index_of(size)); }
  [[nodiscard]] std::uint64_t operator[](PageSize size) const { return bytes.at(index_of(size)); }
  [[nodiscard]] std::uint64_t total() const { return bytes[0] + bytes[1] + bytes[2]; }

 private:
  [[nodiscard]] static std::size_t index_of(PageSize size) {
    return (static_cast<std::size_t>(size) - 12) / 9;
  }
};

/// What an address space holds and has been through.
struct SpaceStatistics {
  std::uint64_t areas = 0;
  std::uint64_t area_nodes = 0;      ///< of the tree they are found in
  std::uint64_t mapped = 0;          ///< bytes in areas
  BytesByPageSize resident;          ///< bytes populated, of all areas
  std::uint64_t resident_alloc = 0;  ///< bytes populated in allocating areas: our own frames
  std::uint64_t table_bytes = 0;     ///< page tables, those that wait for readers included
  std::array<std::uint64_t, kFaultOutcomes.size()> faults{};  ///< by FaultOutcome
  std::uint64_t page_splits = 0;                              ///< huge entries split since creation
  std::uint64_t page_joins = 0;  ///< tables joined to a huge entry since creation
  std::uint64_t area_splits = 0;
  std::uint64_t area_joins = 0;
  std::uint64_t violations = 0;  ///< accesses that an area's rights denied

  [[nodiscard]] std::uint64_t faults_of(FaultOutcome outcome) const {
    return faults.at(static_cast<std::size_t>(outcome));
  }
};

}  // namespace nestling
