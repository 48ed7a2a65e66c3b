// MemoryExits: what a guest's exit over a memory access comes to: pages populated, accesses made on
// its behalf, or the end of the run. Knows no KVM.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "addrspace/address_space.h"
#include "vmm/audit/watch_list.h"
#include "vmm/exit.h"
#include "vmm/memory/memory_event.h"
#include "vmm/unclaimed_policy.h"
#include "vmm/vcpu_id.h"
#include "vmm/verdict.h"

namespace nestling {

/// Any vCPU thread may call it, each for its own vCPU.
class MemoryExits {
 public:
  struct Options {
    std::uint32_t vcpu_count = 1;
    UnclaimedPolicy denied = UnclaimedPolicy::kGoOn;
    /// Who wants to know; null for nobody. Must outlive this.
    MemoryEventSink* sink = nullptr;
    /// Accesses that are told though nothing is special about them; null for none. Must outlive
    /// this.
    const WatchList* watches = nullptr;
  };
  /// Exits by what they came to.
  struct Statistics {
    std::uint64_t populated = 0;      ///< accesses whose pages came into being
    std::uint64_t completed = 0;      ///< accesses of pages that were there already
    std::uint64_t fetches = 0;        ///< instructions whose pages came into being
    std::uint64_t faults = 0;         ///< memory-fault exits that were served
    std::uint64_t denied_reads = 0;   ///< gave all ones
    std::uint64_t denied_writes = 0;  ///< were discarded
  };
  /// How far an access got.
  struct Piece {
    /// Bytes from its start that are memory's business, and done; 0 when the first is not.
    std::size_t size = 0;
    /// The end of the run.
    std::optional<Verdict> verdict;
  };

  /// `space` must outlive this.
  MemoryExits(AddressSpace& space, const Options& options);

  /// Makes the part of the access of `data` at `address` that starts there and lies in one area:
  /// populates what is missing, then moves the bytes through the view, in one piece where they are
  /// aligned. What the area's rights deny reads all ones, or is discarded.
  [[nodiscard]] Piece access(VcpuId vcpu, GuestPhysAddr address, Direction direction,
                             std::span<std::byte> data);
  /// How many of the `size` bytes at `address` stand before the first one that is memory's
  /// business: 0 when that is the very first.
  [[nodiscard]] std::size_t gap(GuestPhysAddr address, std::size_t size) const;

  /// What keeps an access from being made without an exit once its page is populated.
  enum class Exposure : std::uint8_t {
    kNoMemory,  ///< no memory is there
    kDenied,    ///< the area's rights, or its type
    kTrapped,   ///< a watched range in its page
    kShown,     ///< nothing
  };
  [[nodiscard]] Exposure exposure(GuestPhysAddr address, Access access) const;

  /// Populates the page where `bytes` begin, for an access that the guest makes again afterwards.
  /// Nothing when the vCPU can go on.
  [[nodiscard]] std::optional<Verdict> on_missing_page(VcpuId vcpu, GuestPhysRange bytes,
                                                       Access access);
  /// A page that KVM could not resolve. Nothing when the vCPU can go on.
  [[nodiscard]] std::optional<Verdict> on_memory_fault(VcpuId vcpu, const MemoryFaultExit& exit);

  enum class Fetch : std::uint8_t { kPopulated, kWasThere };
  /// KVM could not read the instruction at `instruction`, whose bytes these are, a few at most: was
  /// it for want of their pages? Then they are there now.
  [[nodiscard]] Result<Fetch, Verdict> on_failed_fetch(VcpuId vcpu,
                                                       std::span<const GuestPhysRange> instruction);

  /// For whoever finds a first access of memory that no bus claims, or one that nobody claims.
  void tell(const MemoryEvent& event) const {
    if (options_.sink != nullptr) {
      options_.sink->tell(event);
    }
  }

  /// How much is resident, and how much the host has left: for a run that the host ends.
  [[nodiscard]] static std::string residency_words();

  void tell_port(const PortEvent& event) const {
    if (options_.sink != nullptr) {
      options_.sink->tell_port(event);
    }
  }

  [[nodiscard]] Statistics statistics() const;

 private:
  struct Attempt {
    Actor actor;
    GuestPhysRange range;
    Access access;
  };
  /// Exits in a row, of one vCPU, over a page that was there.
  struct alignas(64) Repeats {
    GuestPhysAddr page;
    std::uint64_t generation = 0;  ///< of the space
    std::uint32_t count = 0;
  };

  [[nodiscard]] std::optional<Area> area_at(GuestPhysAddr address) const;
  void tell_if_watched(const Attempt& attempt, std::span<const std::byte> data) const;
  [[nodiscard]] Piece deny(const Attempt& attempt, std::span<std::byte> data);
  [[nodiscard]] Result<FaultOutcome, Verdict> fault(const Attempt& attempt);
  [[nodiscard]] bool is_in_vain(VcpuId vcpu, GuestPhysAddr page, FaultOutcome outcome);
  [[nodiscard]] Verdict out_of_memory(GuestPhysAddr address) const;

  AddressSpace& space_;
  const Options options_;
  std::vector<Repeats> repeats_;  // by vCPU

  std::atomic<std::uint64_t> populated_ = 0;
  std::atomic<std::uint64_t> completed_ = 0;
  std::atomic<std::uint64_t> fetches_ = 0;
  std::atomic<std::uint64_t> memory_faults_ = 0;
  std::atomic<std::uint64_t> denied_reads_ = 0;
  std::atomic<std::uint64_t> denied_writes_ = 0;
};

/// The number that at most 8 bytes make, little-endian; nothing for more.
[[nodiscard]] std::optional<std::uint64_t> number_in(std::span<const std::byte> data);

/// Why guest memory at `address` cannot be populated, with what is resident.
[[nodiscard]] std::string shortage_words(AddressSpace& space, GuestPhysAddr address);

}  // namespace nestling
