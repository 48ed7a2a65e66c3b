// GuestRam: a machine's RAM: areas of an address space, and the host bytes that KVM's slots show.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "addrspace/address_space.h"
#include "addrspace/ram_pool.h"
#include "addrspace/space_memory.h"
#include "base/result.h"
#include "vmm/memory/guest_memory_config.h"

namespace nestling {

/// RAM that costs nothing until it is touched. What the VMM touches goes through the address space
/// and is in its view at once; what the guest touches behind a memory slot is the host's business,
/// and the view learns of it when asked.
class GuestRam {
 public:
  /// One area of RAM, and the host bytes behind it, equally long.
  struct Region {
    GuestPhysRange guest;
    std::span<std::byte> host;
  };

  /// Room for RAM at `ranges`: ascending, disjoint, page-aligned, none empty. `config` says what it
  /// is made of; nothing is mapped yet, so that observers can be added first. Fails with
  /// kHostRefused when the host has no room for their addresses.
  /// `others` are to be mapped by somebody else and need room too.
  [[nodiscard]] static Result<std::unique_ptr<GuestRam>> create(
      const GuestMemoryConfig& config, std::span<const GuestPhysRange> ranges,
      std::span<const GuestPhysRange> others = {});

  /// Whether the host is advised to page RAM in by 2 MiB at once.
  enum class HugePages : std::uint8_t {
    kNever,
    /// Yes, where all of RAM would fit in the host several times over, so that a guest that touches
    /// a little everywhere cannot use it up; but not for the first MiB, where small guests live
    /// whole, and where 4 KiB pages start them sooner.
    kWhereTheyFit,
  };

  /// Maps the areas of the ranges given to create(). Once. Fails with kHostRefused.
  [[nodiscard]] Result<void> map_ram(HugePages huge_pages = HugePages::kNever);

  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;
  /// The whole pool goes at once: its pages need not go one by one before.
  ~GuestRam() { pool_->retire(); }

  /// Guest memory as the VMM's own parts use it.
  [[nodiscard]] GuestMemory& memory() { return memory_; }
  [[nodiscard]] AddressSpace& space() { return *space_; }
  [[nodiscard]] RamPool& pool() { return *pool_; }
  /// Bytes of RAM.
  [[nodiscard]] std::uint64_t size() const;
  /// What map_ram() mapped, ascending by guest address. The bytes live as long as this.
  [[nodiscard]] std::span<const Region> regions() const { return regions_; }

  /// Populates all of `region`, in the view and in the host: nothing is left to fault. Fails with
  /// kHostRefused.
  [[nodiscard]] Result<void> populate_in_host(const Region& region);

  /// Brings the view up to date with the pages that the host has resident, so that maps and counts
  /// say what the guest really uses. Costs a system call for each GiB. Fails with kHostRefused.
  [[nodiscard]] Result<void> learn_residency();

 private:
  GuestRam(std::unique_ptr<RamPool> pool, std::unique_ptr<AddressSpace> space,
           std::span<const GuestPhysRange> ranges)
      : ranges_(ranges.begin(), ranges.end()),
        pool_(std::move(pool)),
        space_(std::move(space)),
        memory_(*space_, {.kind = Actor::Kind::kVmm}) {}

  [[nodiscard]] Result<void> learn_chunk(GuestPhysRange chunk, std::span<std::byte> host);

  std::vector<GuestPhysRange> ranges_;
  std::unique_ptr<RamPool> pool_;
  std::unique_ptr<AddressSpace> space_;
  SpaceMemory memory_;
  std::vector<Region> regions_;
  std::vector<unsigned char> page_is_resident_;  // what mincore() said of the last chunk
};

}  // namespace nestling
