// SlotMirror: keeps KVM's memory slots equal to the view.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "addrspace/address_space.h"
#include "addrspace/view_observer.h"
#include "vmm/memory/run_gate.h"
#include "vmm/memory/slot_table.h"

namespace nestling {

/// The rights of a slot for memory like this, or nothing when it gets none.
[[nodiscard]] std::optional<SlotRights> slot_rights(Access access, MemoryType type);

/// What a guest can reach without an exit, as an observer of the address space:
///
///     areas:      | ram rw        | rom r |  hole  | ram rw |
///     populated:  |###|   |#######|#######|        |        |
///     kAreas:     [      slot     ][ slot*]        [  slot  ]      * KVM_MEM_READONLY
///     kPopulated: [slt]   [  slot ][ slot*]
///
/// Areas of device memory and areas that cannot be read have no slot. Slots are added where memory
/// appears and never grown; what is taken away from the middle of one is cut out of it, with no
/// vCPU in the guest meanwhile. Every operation of the view is mirrored whole or refused whole.
/// When kPopulated has used up a quarter of the slots, it makes the space's faults larger, so that
/// the rest lasts.
class SlotMirror final : public ViewObserver {
 public:
  enum class Shows : std::uint8_t {
    kAreas,      ///< whole areas: the host, or a pager, brings their pages in
    kPopulated,  ///< what is populated, and nothing else: every first touch is an exit
  };
  /// When the vCPUs must be outside the guest besides when slots are cut.
  enum class Gate : std::uint8_t {
    kForCuts,      ///< never
    kForNewSlots,  ///< for new areas too: KVM waits, when it adds a slot, for page faults of
                   ///< running vCPUs, and who serves those may wait for the address space
  };
  /// Pages whose accesses of these kinds are to be exits, whatever their areas allow: a trapped
  /// write makes a slot read-only, a trapped read leaves no slot, so that every access is an exit.
  struct Trap {
    GuestPhysRange pages;  ///< page-aligned
    Access access;
  };
  struct Options {
    Shows shows = Shows::kAreas;
    Gate gate = Gate::kForCuts;
    std::vector<Trap> traps = {};
  };
  struct Statistics {
    std::uint64_t slots = 0;       ///< in use
    std::uint64_t slots_peak = 0;  ///< the most that ever were
    std::uint64_t slot_limit = 0;  ///< as many as there can be
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t gate_closings = 0;
  };

  /// Observes `space`, in which nothing may be mapped yet, until it goes. All three must outlive
  /// it. The slots stay when it goes: they go with the VM.
  SlotMirror(AddressSpace& space, SlotTable& table, RunGate& gate, Options options);
  SlotMirror(const SlotMirror&) = delete;
  SlotMirror& operator=(const SlotMirror&) = delete;
  ~SlotMirror() override;

  void entering(ViewChange::Kind kind) override;
  void leaving(ViewChange::Kind kind) override;
  [[nodiscard]] Result<void> permits(const ViewChange& change) override;
  [[nodiscard]] Result<void> prepare(std::span<const ViewChange> changes) override;
  void abandon(std::span<const ViewChange> changes) override;
  void changed(const ViewChange& change) override;

  /// Where slots and view differ, or nothing. Looked for after every change in debug builds. Not
  /// while another thread changes the view.
  [[nodiscard]] std::optional<std::string> defect() const;
  [[nodiscard]] Statistics statistics() const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  /// One thing done to the table, to be undone when the operation fails.
  struct Step {
    enum class Kind : std::uint8_t { kAdded, kRemoved };
    Kind kind = Kind::kAdded;
    MemorySlot slot;
  };
  /// A run of guest bytes as a slot shows it.
  struct Shown {
    GuestPhysRange guest;
    std::span<std::byte> host;
    SlotRights rights = SlotRights::kReadWrite;
  };

  [[nodiscard]] bool needs_gate(ViewChange::Kind kind) const;
  [[nodiscard]] bool adds_slot(const ViewChange& change) const;
  [[nodiscard]] Error no_slot_left(GuestPhysRange range) const;
  [[nodiscard]] Result<void> follow(const ViewChange& change);
  [[nodiscard]] Result<void> follow_protect(const ViewChange& change);
  [[nodiscard]] std::vector<Shown> without_trapped(const Shown& shown) const;
  [[nodiscard]] Result<void> show(const Shown& shown);
  [[nodiscard]] Result<void> show_in_one_slot(const Shown& shown);
  [[nodiscard]] Result<void> hide(MemorySlot slot);
  [[nodiscard]] Result<void> cut(GuestPhysRange range);
  void roll_back();
  void spare_slots();
  [[nodiscard]] std::vector<Shown> wanted() const;
  [[nodiscard]] std::vector<Shown> present() const;

  AddressSpace& space_;
  SlotTable& table_;
  RunGate& gate_;
  const Options options_;
  const std::uint32_t slot_limit_;

  // Guarded by the address space's writer lock.
  std::map<GuestPhysAddr, MemorySlot> slots_;  // by first guest byte
  std::vector<std::uint32_t> free_numbers_;    // below next_number_
  std::uint32_t next_number_ = 0;
  std::uint64_t shown_bytes_ = 0;
  std::vector<Step> journal_;  // of the last prepare()
  std::optional<Error> broken_;

  std::atomic<std::uint64_t> slot_count_ = 0;
  std::atomic<std::uint64_t> slot_peak_ = 0;
  std::atomic<std::uint64_t> added_ = 0;
  std::atomic<std::uint64_t> removed_ = 0;
  std::atomic<std::uint64_t> gate_closings_ = 0;
};

}  // namespace nestling
