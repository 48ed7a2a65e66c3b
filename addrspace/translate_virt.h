// translate_virt: the whole walk of a guest's address, through its own tables and through stage 2.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "addrspace/aarch64/stage1_walk.h"
#include "addrspace/guest_walk.h"
#include "addrspace/riscv64/stage1_walk.h"
#include "addrspace/x86_64/stage1_walk.h"

namespace nestling {

/// What stage 2 says about one guest-physical address.
struct Stage2Page {
  HostPhysAddr hpa;                     ///< byte for byte
  std::uint64_t page_size = kPageSize;  ///< bytes that one entry maps around it
  Access access;

  friend bool operator==(const Stage2Page&, const Stage2Page&) = default;
};

/// Why stage 2 has no byte for an access.
struct Stage2Fault {
  enum class Reason : std::uint8_t {
    kOutsideSpace,  ///< beyond the guest-physical address space
    kNoArea,        ///< inside it, but nothing is there
    kNotPopulated,  ///< an area, but no frame yet: populate and ask again
    kDenied,        ///< a frame, but not with this access
  };

  Reason reason = Reason::kNoArea;
  GuestPhysAddr gpa;
  Access wanted;

  friend bool operator==(const Stage2Fault&, const Stage2Fault&) = default;
};

/// What a two-stage walk needs of stage 2.
class Stage2 {
 public:
  virtual ~Stage2() = default;

  /// The page at `gpa`. The error's `wanted` is of no interest.
  [[nodiscard]] virtual Result<Stage2Page, Stage2Fault> translate(GuestPhysAddr gpa) = 0;

  /// The host bytes at an address that translate() gave, inside that page. Whoever calls
  /// translate_virt sees to it that they stay the guest's until it returns.
  [[nodiscard]] virtual std::span<std::byte> bytes(HostPhysRange range) = 0;
};

/// What both stages together say about one guest-virtual address.
struct VirtPage {
  GuestPhysAddr gpa;
  HostPhysAddr hpa;
  std::uint64_t stage1_page_size = kPageSize;
  std::uint64_t stage2_page_size = kPageSize;
  /// What accesses with the privilege asked about may do there: the rights both stages give.
  Access access;

  /// Bytes around the address that are contiguous in the host by both stages' pages.
  [[nodiscard]] std::uint64_t page_size() const {
    return std::min(stage1_page_size, stage2_page_size);
  }

  friend bool operator==(const VirtPage&, const VirtPage&) = default;
};

/// A walk that stage 2 stopped: in a hypervisor's words an EPT violation, a nested page fault, a
/// stage-2 abort or a guest-page fault.
struct Stage2Stop {
  Stage2Fault fault;
  /// The level of the guest's table that was to be read or marked; nothing when it was the access
  /// itself.
  std::optional<std::int8_t> table_level;

  friend bool operator==(const Stage2Stop&, const Stage2Stop&) = default;
};

/// Both stages' results. `Fault` is the guest architecture's exception: held by the outcome when
/// the guest's own tables refuse.
template <typename Fault>
struct VirtTranslation {
  using Failure = std::variant<Fault, Stage2Stop, TablesChanging>;

  WalkTrace trace;                   ///< the guest's entries
  std::optional<Stage1Page> stage1;  ///< when the guest's tables translate
  Result<VirtPage, Failure> outcome;
};

/// Translates `gva` for `access` as a guest CPU in `state` above `stage2` would: every table of the
/// guest's is itself reached through stage 2. For `update` see the walks of each architecture.
/// Any thread may call it, as far as `stage2` allows.
[[nodiscard]] VirtTranslation<x86_64::PagingFault> translate_virt(
    Stage2& stage2, const x86_64::PagingState& state, GuestVirtAddr gva, GuestAccess access,
    TableUpdate update = TableUpdate::kNone);
[[nodiscard]] VirtTranslation<aarch64::TranslationFault> translate_virt(
    Stage2& stage2, const aarch64::TranslationState& state, GuestVirtAddr gva, GuestAccess access,
    TableUpdate update = TableUpdate::kNone);
[[nodiscard]] VirtTranslation<riscv64::TranslationFault> translate_virt(
    Stage2& stage2, const riscv64::TranslationState& state, GuestVirtAddr gva, GuestAccess access,
    TableUpdate update = TableUpdate::kNone);

}  // namespace nestling
