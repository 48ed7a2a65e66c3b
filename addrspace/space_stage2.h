// SpaceStage2: an address space as the second stage of translate_virt, with a small cache.
#pragma once

#include <array>
#include <cstdint>

#include "addrspace/address_space.h"
#include "addrspace/translate_virt.h"

namespace nestling {

/// What two-stage walks need of an AddressSpace. It populates nothing: a walk that meets memory
/// without a frame says so (kNotPopulated), and whoever asked can populate and ask again.
///
/// Pages found are kept until the space's generation changes, so that walks one after the other do
/// not look up the guest's upper tables again. Only stage 2 is cached: the guest changes its own
/// tables without telling. One thread at a time; other threads have objects of their own.
///
/// A walk that runs beside an unmap or a discard sees the view before or after it, as every reader
/// does; what it then reads may be zeros, and flags are written only into entries that still are
/// what was read.
class SpaceStage2 final : public Stage2 {
 public:
  enum class Cache : std::uint8_t { kOn, kOff };

  /// `space` must outlive this object.
  explicit SpaceStage2(const AddressSpace& space, Cache cache = Cache::kOn)
      : space_(space), cache_(cache) {}

  [[nodiscard]] Result<Stage2Page, Stage2Fault> translate(GuestPhysAddr gpa) override;
  [[nodiscard]] std::span<std::byte> bytes(HostPhysRange range) override;

 private:
  /// The answer for the first byte of a 4 KiB page; page numbers never reach the initial value.
  struct Slot {
    std::uint64_t page = UINT64_MAX;
    std::uint64_t generation = 0;
    Stage2Page answer;
  };
  static constexpr std::size_t kSlots = 32;

  [[nodiscard]] Result<Stage2Page, Stage2Fault> look_up(GuestPhysAddr gpa) const;

  const AddressSpace& space_;
  Cache cache_;
  std::array<Slot, kSlots> slots_{};
};

}  // namespace nestling
