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

  /// `ranges`: ascending, disjoint, page-aligned, none empty. Fails with kHostRefused when the host
  /// has no room for their addresses.
  [[nodiscard]] static Result<std::unique_ptr<GuestRam>> create(
      std::span<const GuestPhysRange> ranges);

  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;
  /// The whole pool goes at once: its pages need not go one by one before.
  ~GuestRam() { pool_->retire(); }

  /// Guest memory as the VMM's own parts use it.
  [[nodiscard]] GuestMemory& memory() { return memory_; }
  [[nodiscard]] AddressSpace& space() { return *space_; }
  /// Ascending by guest address. The bytes live as long as this.
  [[nodiscard]] std::span<const Region> regions() const { return regions_; }

  /// Brings the view up to date with the pages that the host has resident, so that maps and counts
  /// say what the guest really uses. Costs a system call for each GiB. Fails with kHostRefused.
  [[nodiscard]] Result<void> learn_residency();

 private:
  GuestRam(std::unique_ptr<RamPool> pool, std::unique_ptr<AddressSpace> space)
      : pool_(std::move(pool)),
        space_(std::move(space)),
        memory_(*space_, {.kind = Actor::Kind::kVmm}) {}

  [[nodiscard]] Result<void> learn_chunk(GuestPhysRange chunk, std::span<std::byte> host);

  std::unique_ptr<RamPool> pool_;
  std::unique_ptr<AddressSpace> space_;
  SpaceMemory memory_;
  std::vector<Region> regions_;
  std::vector<unsigned char> page_is_resident_;  // what mincore() said of the last chunk
};

}  // namespace nestling
