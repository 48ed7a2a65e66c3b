// PoolTableFrames: page tables that live in the RAM pool, beside the memory they describe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "addrspace/ram_pool.h"
#include "addrspace/table_frames.h"

namespace nestling {

/// Frames for one address space's tables; with a memfd pool they are part of the snapshot. Not
/// thread-safe: used under the address space's writer lock.
class PoolTableFrames final : public TableFrames {
 public:
  /// `pool` must outlive this object. `limit`: bytes of tables that may exist at a time.
  PoolTableFrames(RamPool& pool, std::uint64_t limit) : pool_(pool), limit_(limit) {}
  PoolTableFrames(const PoolTableFrames&) = delete;
  PoolTableFrames& operator=(const PoolTableFrames&) = delete;
  ~PoolTableFrames() override;

  [[nodiscard]] std::optional<HostPhysRange> allocate(std::uint64_t size) override;
  void free(HostPhysRange frames) override;
  [[nodiscard]] std::byte* window() const override { return pool_.pointer(HostPhysAddr(0)); }

  /// Makes sure that the next `count` allocations of 4 KiB succeed, whatever happens between;
  /// false, and nothing set aside, when there is no room. Ended by release_set_aside().
  [[nodiscard]] bool set_aside(std::size_t count);
  void release_set_aside();

  /// Bytes that tables occupy, or that are set aside for them.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] std::optional<HostPhysRange> take_from_pool(std::uint64_t size);
  void return_to_pool(HostPhysRange frames);

  RamPool& pool_;
  std::uint64_t limit_;
  std::uint64_t bytes_ = 0;
  std::vector<HostPhysAddr> set_aside_;
};

}  // namespace nestling
