// What walks of a guest's own page tables have in common, whatever the architecture.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "addrspace/access.h"
#include "addrspace/guest_memory.h"
#include "base/result.h"

namespace nestling {

/// What the access that is to be translated does.
enum class AccessKind : std::uint8_t { kRead, kWrite, kExecute };

/// On whose behalf: x86 CPL 3, Arm EL0 and RISC-V U-mode are kUser, everything else kSupervisor.
enum class Privilege : std::uint8_t { kUser, kSupervisor };

/// The access a walk is asked about.
struct GuestAccess {
  AccessKind kind = AccessKind::kRead;
  Privilege privilege = Privilege::kSupervisor;

  friend bool operator==(const GuestAccess&, const GuestAccess&) = default;
};

/// The right an access of this kind needs.
[[nodiscard]] constexpr Access needed_right(AccessKind kind) {
  switch (kind) {
    case AccessKind::kWrite:
      return Access::write();
    case AccessKind::kExecute:
      return Access::execute();
    case AccessKind::kRead:
      break;
  }
  return Access::read();
}

/// Whether a walk writes accessed and dirty flags into the guest's tables, as the guest's CPU would
/// for the same access.
enum class TableUpdate : std::uint8_t { kNone, kAccessedDirty };

/// Where one table entry stands. Entries are naturally aligned, so none crosses a page.
struct EntryLocation {
  GuestPhysAddr address;
  std::uint8_t size = 8;  ///< bytes: 4 or 8
};

/// What an entry is to become, if it still is what it was.
struct EntryChange {
  std::uint64_t expected = 0;
  std::uint64_t desired = 0;
};

/// One entry that a walk read.
struct WalkStep {
  std::int8_t level = 0;    ///< the architecture's own number for it
  GuestPhysAddr table;      ///< where the table starts
  std::uint32_t index = 0;  ///< of the entry in the table
  std::uint8_t entry_size = 8;
  std::uint64_t entry = 0;  ///< as read, zero-extended

  [[nodiscard]] EntryLocation location() const {
    return {table + std::uint64_t{index} * entry_size, entry_size};
  }

  friend bool operator==(const WalkStep&, const WalkStep&) = default;
};

/// Every entry a walk read, in order, the last one being what ended it. At most five.
class WalkTrace {
 public:
  static constexpr std::size_t kMaxSteps = 5;

  void append(const WalkStep& step) {
    check(count_ < kMaxSteps, "a walk deeper than any architecture's");
    steps_.at(count_++) = step;
  }
  void clear() { count_ = 0; }

  [[nodiscard]] std::span<const WalkStep> steps() const { return {steps_.data(), count_}; }

 private:
  std::array<WalkStep, kMaxSteps> steps_{};
  std::size_t count_ = 0;
};

/// What the guest's tables say about one address.
struct Stage1Page {
  /// What the address translates to, byte for byte.
  GuestPhysAddr gpa;
  /// In bytes: how much around the address one entry maps, aligned to itself. With translation off,
  /// the whole of the space that is passed through.
  std::uint64_t page_size = kPageSize;
  /// What accesses with the privilege asked about may do there.
  Access access;

  friend bool operator==(const Stage1Page&, const Stage1Page&) = default;
};

/// A table of the guest's that cannot be read (or, for flags, written): the CPU would meet a hole
/// or a device there. No guest exception: on hardware the hypervisor is told instead.
struct TableFault {
  std::int8_t level = 0;
  MemoryFault cause;

  friend bool operator==(const TableFault&, const TableFault&) = default;
};

/// The guest changed its tables under every attempt to write accessed and dirty flags into them.
struct TablesChanging {
  friend bool operator==(const TablesChanging&, const TablesChanging&) = default;
};

/// A walk: what it read and what came of it. `Fault` is the architecture's exception.
template <typename Fault>
struct Stage1Walk {
  using Failure = std::variant<Fault, TableFault, TablesChanging>;

  WalkTrace trace;
  Result<Stage1Page, Failure> outcome;
};

/// How a walk reaches the guest's tables.
class TableMemory {
 public:
  enum class Swap : std::uint8_t { kDone, kEntryChanged };

  virtual ~TableMemory() = default;

  /// The entry, in the guest's byte order (which is the host's), read at once.
  [[nodiscard]] virtual Result<std::uint64_t, MemoryFault> load(EntryLocation entry) = 0;

  /// Makes the change if the entry still is what is expected, at once.
  [[nodiscard]] virtual Result<Swap, MemoryFault> exchange(EntryLocation entry,
                                                           EntryChange change) = 0;
};

/// Tables in plain guest-physical memory.
class GuestTableMemory final : public TableMemory {
 public:
  /// `memory` must outlive this object.
  explicit GuestTableMemory(GuestMemory& memory) : memory_(memory) {}

  [[nodiscard]] Result<std::uint64_t, MemoryFault> load(EntryLocation entry) override;
  [[nodiscard]] Result<Swap, MemoryFault> exchange(EntryLocation entry,
                                                   EntryChange change) override;

 private:
  GuestMemory& memory_;
};

/// Loads or exchanges one entry at `bytes`, which are as many as the entry has and aligned like it.
[[nodiscard]] std::uint64_t load_entry(std::span<const std::byte> bytes);
[[nodiscard]] TableMemory::Swap exchange_entry(std::span<std::byte> bytes, EntryChange change);

}  // namespace nestling
